import { createMetrics } from "../src/metrics.ts";

const intro = `# Metrics

\`GET /metrics\` answers in the text format of Prometheus, without a token. Counters are there from the start, at 0.
What to alert on: [operations](operations.md#what-to-alert-on). Made by \`bun scripts/metrics.ts\`; do not edit.

Endpoints beyond \`metrics.endpoint_series\` have no series of their own. The metrics \`hookline_endpoints…\` count them all.

| metric | type | meaning |
|---|---|---|
`;

/** docs/metrics.md: each metric with its type and what it says. */
export async function metricsPage(): Promise<string> {
  const text = await createMetrics().registry.render();
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(
    ([, name = "", help = "", type = ""]) => `| \`${name}\` | ${type} | ${help.replaceAll("|", "\\|")} |`,
  );
  return `${intro}${rows.join("\n")}\n`;
}

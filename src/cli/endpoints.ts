import { ageText } from "./age-text.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { cell, listCommand } from "./list-command.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";
import { showCommand } from "./show-command.ts";
import { withSubcommands } from "./subcommand-runner.ts";

/** An endpoint as the API lists it. */
interface Item {
  readonly label: string;
  readonly mode: string;
  readonly breaker: string;
  readonly in_flight: number;
  readonly waiting: number | null;
  readonly oldest_waiting_age_ms: number | null;
  readonly target: { readonly kind: string; readonly url?: string; readonly function?: string };
}

/** `shop/orders` of an app, `crm` or `-/crm` of a named endpoint. */
function pathOf(label: string): string {
  const slash = label.indexOf("/");
  const app = slash === -1 ? "-" : label.slice(0, slash);
  return `/v1/endpoints/${encodeURIComponent(app)}/${encodeURIComponent(label.slice(slash + 1))}`;
}

const ls = listCommand<Item>({
  member: "endpoints",
  path: () => "/v1/endpoints",
  filters: ["sort"],
  head: ["ENDPOINT", "MODE", "BREAKER", "IN FLIGHT", "WAITING", "OLDEST", "TARGET"],
  rowOf: ({ label, mode, breaker, in_flight: inFlight, waiting, oldest_waiting_age_ms: age, target }) => [
    label,
    mode,
    breaker,
    cell(inFlight),
    cell(waiting),
    age === null || age === undefined ? cell(null) : ageText(age),
    cell(target.url ?? target.function),
  ],
  none: "no endpoints",
  partial: "the server has more",
});

const show = showCommand({ positional: "ENDPOINT", path: pathOf, member: "label" });

/** A verb for each endpoint that is named. A test that a receiver did not take is exit 1. */
function verbCommand(verb: "pause" | "resume" | "disable" | "enable" | "test"): RunCommand {
  return async (args, io) => {
    const { values, switches, positionals } = parseArguments(args, {
      values: serverFlags,
      switches: ["json"],
      positionals: ["ENDPOINT..."],
      required: 1,
    });
    const server = await findServer(values, io);
    let code = 0;
    for (const label of positionals) {
      const answer = await askServer(server, {
        method: "POST",
        path: `${pathOf(label)}/${verb}`,
        timeoutMs: 120_000,
      });
      if (answer.status !== 200) {
        reportRefusal(answer, io, label);
        code = 1;
        continue;
      }
      const { mode, outcome, detail } = requireMember(server, answer, verb === "test" ? "outcome" : "mode");
      if (verb === "test" && outcome !== "delivered") code = 1;
      const text = `${label} ${String(verb === "test" ? detail : mode)}`;
      io.stdout.writeLine(switches.has("json") ? answer.text.trimEnd() : text);
    }
    return code;
  };
}

/** `hookline endpoints [ls|show|pause|resume|disable|enable|test]`: the receivers of a server, over the admin API. */
export const endpoints: RunCommand = withSubcommands(
  "endpoints",
  {
    ls,
    show,
    pause: verbCommand("pause"),
    resume: verbCommand("resume"),
    disable: verbCommand("disable"),
    enable: verbCommand("enable"),
    test: verbCommand("test"),
  },
  ls,
);

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { createApiCheck, type ApiCheck, type ApiDocument, type Operation } from "../support/api-check.ts";
import { startAdmin, token, type Admin } from "./start-admin.ts";

let admin: Admin;
let text: string;
let document: ApiDocument;
let check: ApiCheck;

beforeAll(async () => {
  admin = await startAdmin({ config: { server: { token } } });
  const response = await fetch(`${admin.url}/openapi.json`);
  text = await response.text();
  document = JSON.parse(text) as ApiDocument;
  check = createApiCheck(document);
});
afterAll(() => admin.stop());

const operations = (): { place: string; path: string; method: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      place: `${method.toUpperCase()} ${path}`,
      path,
      method,
      operation,
    })),
  );

describe("/openapi.json", () => {
  test("has each route, and nothing that is no route", () => {
    const routes = admin.app.routes.map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`,
    );
    const described = operations().map(({ place }) => place);
    // Where this fails, look at src/admin/openapi/document.ts: it makes an operation of each route.
    expect(described.toSorted()).toEqual(routes.toSorted());
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  test("is OpenAPI as its linter knows it", async () => {
    const config = await createConfig({
      extends: ["recommended-strict"],
      // A server's own place is where the document was found, and health has no error of its own.
      rules: { "operation-4xx-response": "off", "no-server-example.com": "off" },
    });
    const problems = await lintFromString({ source: text, config });
    expect(
      problems.map(
        ({ message, location }) => `${location.map(({ pointer }) => pointer).join(" ")}: ${message}`,
      ),
    ).toEqual([]);
  });

  test("has examples that are as their schemas say", () => {
    const wrong = operations().flatMap(({ place, operation }) => {
      const media = [
        ...Object.values(operation.requestBody?.content ?? {}),
        ...Object.values(operation.responses).flatMap(({ content = {} }) => Object.values(content)),
      ];
      return media.flatMap(({ schema, example }) =>
        example === undefined ? [] : check.valueViolations(schema, example).map((one) => `${place}: ${one}`),
      );
    });
    expect(wrong).toEqual([]);
  });

  test("has an example of every answer with a body and of every parameter in a path", () => {
    const missing = operations().flatMap(({ place, operation }) => [
      ...Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
        Object.entries(content).flatMap(([type, { example }]) =>
          example === undefined && type !== "application/problem+json" ? [`${place} ${status}`] : [],
        ),
      ),
      ...(operation.parameters ?? []).flatMap((one) =>
        one.in === "path" && one.example === undefined ? [`${place} {${one.name}}`] : [],
      ),
      ...(operation.requestBody !== undefined &&
      Object.values(operation.requestBody.content).some(({ example }) => example === undefined)
        ? [`${place} body`]
        : []),
    ]);
    expect(missing).toEqual([]);
  });
});

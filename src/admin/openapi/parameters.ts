import type { RouteDescription } from "../description.ts";
import type { Route } from "../route.ts";
import { parameterSchemaOf } from "./json-schema.ts";

/** What stands in the place of a path's parameter, by its name, where the route says nothing else. */
const pathParameters: Readonly<Record<string, string>> = {
  queue: "Name of a queue of `queue.queues`.",
  app: "Id of an app; `-` for the named endpoints.",
  name: "Name of the endpoint.",
};

/** What a query parameter does, by its name, where its schema has no description. */
const queryParameters: Readonly<Record<string, string>> = {
  limit: "Most entries of the answer.",
  cursor: "The `cursor` of the previous page.",
  dry_run: "`true`: checked and answered as if, and nothing is changed.",
};

/** The parameters of an operation: those of its path, its query and its headers. */
export function parametersOf(route: Route, about: RouteDescription): Record<string, unknown>[] {
  const { example } = about;
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: about.parameters?.[name] ?? pathParameters[name],
    schema: { type: "string" },
    ...exampleOf(example?.path?.[name]),
  }));
  const inQuery = Object.entries(route.query).map(([name, one]) => {
    const { schema, isRequired } = parameterSchemaOf(one);
    return {
      name,
      in: "query",
      required: isRequired,
      description: about.parameters?.[name] ?? queryParameters[name] ?? schema["description"],
      schema,
      ...exampleOf(example?.query?.[name]),
    };
  });
  const inHeaders = Object.entries(about.headers ?? {}).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
    ...exampleOf(example?.headers?.[name]),
  }));
  return [...inPath, ...inQuery, ...inHeaders];
}

function exampleOf(value: string | undefined): { example?: string } {
  return value === undefined ? {} : { example: value };
}

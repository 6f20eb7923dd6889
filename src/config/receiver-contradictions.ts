import type { Contradict } from "./contradictions.ts";
import { headerNameProblem } from "./headers.ts";
import type { Loose } from "./holes.ts";
import { quote } from "../secrets/showable.ts";
import { checkUnique } from "./unique.ts";

/** The keys of a webhook or a named endpoint that may contradict each other, as written, wrong values left out. */
type Receiver = Loose<{
  readonly url?: string;
  readonly lambda_function?: string;
  readonly lambda?: { readonly function_name?: string };
  readonly headers: Readonly<Record<string, string>>;
  readonly signing?: string;
  readonly signing_keys: readonly object[];
  readonly tls: object | null;
  readonly proxy: string | null;
}>;

/** What contradicts itself in a receiver, whoever's it is. */
export function contradictReceiver(receiver: Receiver, contradict: Contradict): void {
  contradictTarget(receiver, contradict);
  contradictHeaders(receiver, contradict);
  const { signing, signing_keys: keys } = receiver;
  if ((signing === "standard" || signing === "both") && keys?.length === 0) {
    const message = `is missing: signing is "${signing}" (hookline keys generate)`;
    contradict(["signing_keys"], message, [["signing_keys"], ["signing"]]);
  }
}

/** What only a named endpoint cannot have. */
export function contradictNamedEndpoint({ signing }: Receiver, contradict: Contradict): void {
  if (signing !== "pusher" && signing !== "both") return;
  contradict(["signing"], "Pusher signatures need an app's key and secret; a named endpoint has none");
}

const isSet = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
const targetKeys = [["url"], ["lambda_function"], ["lambda"]];

function contradictTarget(receiver: Receiver, contradict: Contradict): void {
  const { url, lambda, lambda_function: name, tls, proxy } = receiver;
  const isLambda = "lambda_function" in receiver || "lambda" in receiver;
  if (!("url" in receiver) && !isLambda) {
    contradict([], "needs url, lambda_function or lambda: where should deliveries go?", targetKeys);
  }
  if ("url" in receiver && isLambda) {
    contradict([], "has both a URL and a Lambda function; it can have one", targetKeys);
  }
  const functionName = ["lambda", "function_name"];
  const hasName = "lambda_function" in receiver || (lambda !== undefined && "function_name" in lambda);
  if (isLambda && !hasName && lambda !== undefined) contradict(functionName, "is missing");
  if (name !== undefined && lambda?.function_name !== undefined && name !== lambda.function_name) {
    contradict(functionName, "lambda_function names another function; set one of them");
  }
  for (const [key, value] of Object.entries({ tls, proxy })) {
    if (isSet(value) && isLambda)
      contradict([key], "has no effect on a Lambda function", [[key], ...targetKeys]);
  }
  if (isSet(tls) && typeof url === "string" && url.toLowerCase().startsWith("http://")) {
    contradict(["tls"], "has no effect on an http:// URL", [["tls"], ["url"]]);
  }
}

function contradictHeaders(receiver: Receiver, contradict: Contradict): void {
  const names = Object.keys(receiver.headers ?? {});
  for (const name of names) {
    const problem = headerNameProblem(name);
    if (problem !== null) contradict(["headers", name], problem);
  }
  checkUnique(
    names.map((name) => name.toLowerCase()),
    (index, earlier) => {
      const message = `is the same header as ${quote(names[earlier] as string, "name")}`;
      contradict(["headers", names[index] as string], message);
    },
  );
  const hasUser = typeof receiver.url === "string" && (URL.parse(receiver.url)?.username ?? "") !== "";
  const authorization = names.find((name) => name.toLowerCase() === "authorization");
  if (hasUser && authorization !== undefined) {
    const message = "the URL's user info is an authorization header too; set one of them";
    contradict(["headers", authorization], message, [["headers", authorization], ["url"]]);
  }
}

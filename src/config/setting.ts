import * as v from "valibot";

/** The names by which the environment can give a key, beside its general one (`HOOKLINE_` + path, env.ts). */
export interface EnvNames {
  /** Read like the general name: the project's short one, and those of Sockudo and Soketi that mean the same. */
  readonly env?: string | readonly string[];
  /** Read where no other name sets the key. */
  readonly envFallback?: string;
  /**
   * Soketi's name for its own connection or batching. Read where neither another name nor the file sets the key:
   * whoever shares one environment between the two may have told hookline something else.
   */
  readonly envSoketi?: string;
}

/** What a reload does with a key that has changed: it is in force at once, or refused because it needs a restart. */
export type ReloadKind = "live" | "restart";

/** What a setting says beside its kind. */
export interface SettingFacts extends EnvNames {
  /** Of this key and of those below it that say nothing else; absent: as what stands around it (reload-kind.ts). */
  readonly reload?: ReloadKind;
}

/** How strong a name is; see EnvNames. */
export type EnvRank = "own" | "fallback" | "soketi";

/** The names as metadata of a schema, where editors see them too (`hookline config schema`). */
export interface EnvMetadata {
  readonly "x-env"?: readonly string[];
  readonly "x-env-fallback"?: readonly string[];
  readonly "x-env-soketi"?: readonly string[];
}

/** What a reload does, as metadata of a schema. */
export interface ReloadMetadata {
  readonly "x-reload"?: ReloadKind;
}

type Schema = v.BaseSchema<unknown, unknown, v.BaseIssue<unknown>>;

/**
 * One key of the configuration that may be left out: all that is said of it, in one place.
 *
 * The kind says what a value must be, what it means and whether it is secret (kinds.ts). The rest of the program is
 * derived from it by a walk of the schema (schema-tree.ts): the names in the environment, the defaults, the JSON Schema,
 * docs/settings.md, and what is masked.
 *
 * @param facts `default` is what a user could have written; without one the key is undefined where it is left out.
 */
export function setting<
  const Kind extends Schema,
  const Default extends v.Default<Kind, undefined> = undefined,
>(kind: Kind, facts: SettingFacts & { readonly default?: Default } = {}): v.OptionalSchema<Kind, Default> {
  const bare = "default" in facts ? v.optional(kind, facts.default) : v.optional(kind);
  const metadata = metadataOf(facts);
  // The names belong to the key, not to its kind, which may serve another key as well.
  const named = Object.keys(metadata).length === 0 ? bare : v.pipe(bare, v.metadata({ ...metadata }));
  return named as v.OptionalSchema<Kind, Default>;
}

function metadataOf({ env, envFallback, envSoketi, reload }: SettingFacts): EnvMetadata & ReloadMetadata {
  return {
    ...(env === undefined ? {} : { "x-env": typeof env === "string" ? [env] : env }),
    ...(envFallback === undefined ? {} : { "x-env-fallback": [envFallback] }),
    ...(envSoketi === undefined ? {} : { "x-env-soketi": [envSoketi] }),
    ...(reload === undefined ? {} : { "x-reload": reload }),
  };
}

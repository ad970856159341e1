// `tollgate explain`: says how a described request is decided, and why.
import { ATTRIBUTES } from "../rules/attribute-table.ts";
import { build } from "../rules/build.ts";
import { type RuleCatalogue, vocabularyOf } from "../rules/catalogue.ts";
import type { CheckedSet } from "../rules/checked.ts";
import { describe } from "../rules/describe.ts";
import { isError } from "../rules/diagnostics.ts";
import { explain as explainScenario, explanationJson, renderExplanation } from "../rules/explain.ts";
import { InlineRulesError, withInline } from "../rules/inline-bind.ts";
import { StatementCache } from "../rules/parse.ts";
import { renderText } from "../rules/render.ts";
import type { Principal } from "../types.ts";
import type { Command, Io } from "./command.ts";
import { explainRequest, findRequest, isRequestId } from "./explain-request.ts";
import { noSuch } from "./no-such.ts";
import { parseOptions, usage } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readRules } from "./rule-files.ts";
import { withStore } from "./with-store.ts";

const HELP = `
Says how the rules decide a request, which rule decides it, and what would have to change for it to be otherwise.

Usage:
  tollgate explain REQUEST            a recorded request, by its x-request-id, at its own time
  tollgate explain ATTRIBUTE=VALUE…   a request that is described
  tollgate explain --key ID|ALIAS ATTRIBUTE=VALUE…   the same, of a stored key, with the rules that are kept for it

Of a recorded request it says what was decided then, whether the rules have changed since, and how they decide it now.
Headers and metadata are known where the rules of then read them; what was not recorded is unknown. Rules kept on
organisations, teams and keys are left out of it.

The attributes are those of rules/README.md; a list is written with commas. What is left out has its declared value:
a key of its own without team or roles, a plain request, an unknown model. The time is now, unless \`at\` or one of
\`time\`, \`hour\`, \`date\`, \`day\`, \`weekday\` is given.

Options:
  --key ID|ALIAS      by this key of the database: its team, organisation, roles and tags, and the rules kept on them
  --rules DIR|FILE    other rules than those of the config
  --json              the explanation as data
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 explained, 1 no such request, 2 the rules or the description have an error, 64 usage, 78 bad config.

Examples:
  tollgate explain req_mi8w2k1f9c0d3e4a5b_1z
  tollgate explain model=gpt-4 team=interns max_tokens=9000
  tollgate explain --key ci model=gpt-4o
  tollgate explain model=gpt-4o-mini role=admin,dev 'header["x-env"]=prod' at=2027-01-31T22:30
`;

/** Makes the command for a way to find what surrounds the rules. */
export function createExplainCommand(findSurroundings: FindSurroundings): Command {
  return {
    name: "explain",
    summary: "say how a request is decided, and why",
    help: HELP.trimStart(),
    run: (argv, io) => run(argv, io, findSurroundings),
  };
}

/** The command with the config's directory, providers and models. */
export const explain: Command = createExplainCommand(configSurroundings);

async function run(argv: readonly string[], io: Io, findSurroundings: FindSurroundings): Promise<number> {
  const { paths: facts, rest } = partArguments(argv, ["config", "rules", "key"]);
  const options = { rules: { type: "string" }, key: { type: "string" } } as const;
  const { values } = parseOptions(rest, { command: "explain", options });
  if (facts.length === 0)
    throw usage("explain", "name a request by its id, or describe one, as in `model=gpt-4 team=interns`");
  const request = facts.length === 1 && isRequestId(facts[0] ?? "") ? facts[0] : undefined;
  if (request !== undefined && values.key !== undefined) throw usage("explain", "a recorded request has its own key");
  const record = request === undefined ? null : await findRequest(request, values.config, io);
  const stray = record !== null ? undefined : facts.find((fact) => !/^[^=]+=/.test(fact));
  if (stray !== undefined) throw usage("explain", `\`${stray}\` is not ATTRIBUTE=VALUE`);
  const principal = values.key === undefined ? null : await principalOf(values.key, facts, values.config, io);
  const { directory, catalogue } = await findSurroundings(values.config, io);
  const paths = values.rules === undefined ? [] : [values.rules];
  const snapshot = await readRules("explain", paths, { directory, cwd: io.cwd });
  const { checked, diagnostics } = build(snapshot, catalogue, new StatementCache(), Date.now());
  if (checked === null) {
    const errors = diagnostics.filter(isError);
    io.stdout.write(renderText(errors));
    io.stderr.write(`${counted(errors.length, "error")} in the rules\n`);
    return 2;
  }
  if (record !== null) {
    const { hash } = snapshot;
    io.stdout.write(explainRequest({ record, set: checked, hash, catalogue }, values.json === true));
    return 0;
  }
  return explainDescribed({ facts, set: checked, catalogue, principal }, values.json === true, io);
}

/** A request as the command line describes it, and the rules. */
interface Described {
  readonly facts: readonly string[];
  readonly set: CheckedSet;
  readonly catalogue: RuleCatalogue;
  /** The stored key that makes it; null: what the facts say. */
  readonly principal: Principal | null;
}

function explainDescribed({ facts, set, catalogue, principal }: Described, asJson: boolean, io: Io): number {
  const vocabulary = vocabularyOf(catalogue);
  const described = describe(facts, vocabulary, Date.now());
  if (described.scenario === null) {
    io.stdout.write(renderText(described.diagnostics));
    io.stderr.write("the request could not be read\n");
    return 2;
  }
  io.stderr.write(renderText(described.diagnostics));
  const scenario = principal === null ? described.scenario : { ...described.scenario, principal };
  try {
    const explanation = explainScenario(withInline(set, scenario.principal, catalogue), scenario, vocabulary);
    const text = asJson ? `${JSON.stringify(explanationJson(explanation), null, 2)}\n` : renderExplanation(explanation);
    io.stdout.write(text);
    return 0;
  } catch (error) {
    if (!(error instanceof InlineRulesError)) throw error;
    io.stdout.write(error.report);
    io.stderr.write(`deny: ${error.message}\n`);
    return 2;
  }
}

/** The stored key's principal. @throws SetupError 1 when there is none, 64 when a fact says otherwise who it is */
async function principalOf(
  name: string,
  facts: readonly string[],
  config: string | undefined,
  io: Io,
): Promise<Principal> {
  const clashing = facts.map((fact) => fact.slice(0, fact.indexOf("=")).trim()).find(isOfKey);
  if (clashing !== undefined) throw usage("explain", `\`${clashing}\` comes with --key: take one of them out`);
  const found = await withStore(io, config, ({ accounts }) => {
    if (!accounts.hasName("key", name)) throw noSuch("key", name, accounts.namesNear("key", name), false);
    return accounts.getKey(name);
  });
  const expired = found.expiresMs !== null && found.expiresMs <= Date.now();
  const status = found.status === "active" && expired ? "expired" : found.status;
  if (status !== "active") io.stderr.write(`the key is ${status}: its requests are refused before any rule is asked\n`);
  return found.principal;
}

function isOfKey(attribute: string): boolean {
  return attribute === "key.age" || ATTRIBUTES.get(attribute)?.fixedBy === "key";
}

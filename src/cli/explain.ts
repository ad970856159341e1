// `tollgate explain`: says how a described request is decided, and why.
import { build } from "../rules/build.ts";
import { type RuleCatalogue, vocabularyOf } from "../rules/catalogue.ts";
import type { CheckedSet } from "../rules/checked.ts";
import { describe } from "../rules/describe.ts";
import { isError } from "../rules/diagnostics.ts";
import { explain as explainScenario, explanationJson, renderExplanation } from "../rules/explain.ts";
import { StatementCache } from "../rules/parse.ts";
import { renderText } from "../rules/render.ts";
import type { Command, Io } from "./command.ts";
import { explainRequest, findRequest, isRequestId } from "./explain-request.ts";
import { parseOptions, usage } from "./options.ts";
import { configSurroundings, counted, type FindSurroundings, partArguments, readRules } from "./rule-files.ts";

const HELP = `
Says how the rules decide a request, which rule decides it, and what would have to change for it to be otherwise.

Usage:
  tollgate explain REQUEST            a recorded request, by its x-request-id, at its own time
  tollgate explain ATTRIBUTE=VALUE…   a request that is described

Of a recorded request it says what was decided then, whether the rules have changed since, and how they decide it now.
Headers and metadata are known where the rules of then read them; what was not recorded is unknown.

The attributes are those of rules/README.md; a list is written with commas. What is left out has its declared value:
a key of its own without team or roles, a plain request, an unknown model. The time is now, unless \`at\` or one of
\`time\`, \`hour\`, \`date\`, \`day\`, \`weekday\` is given.

Options:
  --rules DIR|FILE    other rules than those of the config
  --json              the explanation as data
  --config FILE       the config file (default: tollgate.yaml here, else the defaults)

Exit codes: 0 explained, 1 no such request, 2 the rules or the description have an error, 64 usage, 78 bad config.

Examples:
  tollgate explain req_mi8w2k1f9c0d3e4a5b_1z
  tollgate explain model=gpt-4 team=interns max_tokens=9000
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
  const { paths: facts, rest } = partArguments(argv, ["config", "rules"]);
  const { values } = parseOptions(rest, { command: "explain", options: { rules: { type: "string" } } });
  if (facts.length === 0)
    throw usage("explain", "name a request by its id, or describe one, as in `model=gpt-4 team=interns`");
  const request = facts.length === 1 && isRequestId(facts[0] ?? "") ? facts[0] : undefined;
  const record = request === undefined ? null : await findRequest(request, values.config, io);
  const stray = record !== null ? undefined : facts.find((fact) => !/^[^=]+=/.test(fact));
  if (stray !== undefined) throw usage("explain", `\`${stray}\` is not ATTRIBUTE=VALUE`);
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
  return explainDescribed({ facts, set: checked, catalogue }, values.json === true, io);
}

/** A request as the command line describes it, and the rules. */
interface Described {
  readonly facts: readonly string[];
  readonly set: CheckedSet;
  readonly catalogue: RuleCatalogue;
}

function explainDescribed({ facts, set, catalogue }: Described, asJson: boolean, io: Io): number {
  const vocabulary = vocabularyOf(catalogue);
  const described = describe(facts, vocabulary, Date.now());
  if (described.scenario === null) {
    io.stdout.write(renderText(described.diagnostics));
    io.stderr.write("the request could not be read\n");
    return 2;
  }
  io.stderr.write(renderText(described.diagnostics));
  const explanation = explainScenario(set, described.scenario, vocabulary);
  const text = asJson ? `${JSON.stringify(explanationJson(explanation), null, 2)}\n` : renderExplanation(explanation);
  io.stdout.write(text);
  return 0;
}

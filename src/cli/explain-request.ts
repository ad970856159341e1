// `tollgate explain REQUEST`: a recorded request, what was decided then, and why the rules decide it so now.
import { SetupError } from "../errors.ts";
import { formatUsd } from "../money.ts";
import { requestIdMs } from "../request-id.ts";
import type { RuleCatalogue } from "../rules/catalogue.ts";
import { vocabularyOf } from "../rules/catalogue.ts";
import type { CheckedSet } from "../rules/checked.ts";
import { type Explanation, explain, explanationJson, renderExplanation } from "../rules/explain.ts";
import { Restorer } from "../rules/restore.ts";
import type { RecordedRequest } from "../types.ts";
import type { Io } from "./command.ts";
import { momentJson } from "./values.ts";
import { withRequests } from "./with-store.ts";

/** Whether an argument names a request: an attribute is written with a `=`. */
export function isRequestId(text: string): boolean {
  return /^req_[^=]*$/.test(text);
}

/** A request and the rules that explain it. */
export interface RequestToExplain {
  readonly record: RecordedRequest;
  readonly set: CheckedSet;
  /** Hash of the files of `set`, 64 hex digits. */
  readonly hash: string;
  readonly catalogue: RuleCatalogue;
}

/** The recorded request. @throws SetupError 1 when there is none that rules decided */
export async function findRequest(id: string, config: string | undefined, io: Io): Promise<RecordedRequest> {
  const record = await withRequests(io, config, (requests) => requests?.find(id, requestIdMs(id)) ?? null);
  if (record !== null) return record;
  throw new SetupError(
    `no request \`${id}\` that rules decided is recorded: one without a valid key, body or model never gets to the rules`,
    1,
  );
}

/** The explanation for people, or as JSON. */
export function explainRequest({ record, set, hash, catalogue }: RequestToExplain, asJson: boolean): string {
  const vocabulary = vocabularyOf(catalogue);
  const restored = new Restorer(vocabulary).restore(record);
  const now = explain(set, restored, vocabulary);
  const sameRules = record.rulesHash === null ? null : hash.startsWith(record.rulesHash);
  if (!asJson) return `${head(record, now, sameRules).join("\n")}\n\n${renderExplanation(now)}`;
  const { decision, ruleIds, shadowIds, warningIds, unknown, generation, rulesHash } = record;
  const decided = { effect: decision, rule_ids: ruleIds, shadow_ids: shadowIds, warnings: warningIds, unknown };
  const request = {
    id: record.id,
    received: momentJson(record.receivedMs),
    key: record.keyAlias,
    team: record.teamAlias,
    model_requested: record.modelRequested,
    status: record.status,
    error: record.error,
    cost_usd: formatUsd(record.costNanoUsd),
  };
  const data = { request, recorded: { ...decided, generation, hash: rulesHash }, same_rules: sameRules };
  return `${JSON.stringify({ ...data, ...explanationJson(now) }, null, 2)}\n`;
}

function head(record: RecordedRequest, now: Explanation, sameRules: boolean | null): string[] {
  const { id, keyAlias, teamAlias, modelRequested, status, error } = record;
  const who = `key ${keyAlias ?? "-"}${teamAlias === null ? "" : `, team ${teamAlias}`}`;
  const came = `status ${status}${error === null ? "" : ` ${error}`}, $${formatUsd(record.costNanoUsd)}`;
  return [
    `request ${id}, received ${momentJson(record.receivedMs)}`,
    `${who}, asked for ${modelRequested ?? "-"}: ${came}`,
    ...thenLines(record),
    rulesLine(record, now, sameRules),
  ];
}

function thenLines({ decision, ruleIds, shadowIds, warningIds, unknown }: RecordedRequest): string[] {
  const by = ruleIds.length === 0 ? " by default" : ` by ${ruleIds.join(", ")}`;
  const more = [
    ["shadow", shadowIds],
    ["warnings", warningIds],
    ["unknown", unknown],
  ] as const;
  const also = more.filter(([, ids]) => ids.length > 0).map(([name, ids]) => `; ${name}: ${ids.join(", ")}`);
  return [`decided then: ${decision}${by}${also.join("")}`];
}

/** Whether what follows is what happened. */
function rulesLine(
  { decision, rulesHash, generation }: RecordedRequest,
  now: Explanation,
  same: boolean | null,
): string {
  const turned = now.decision.effect !== decision;
  if (same === true) {
    const why = "by the same rules, but prices, models or what was not recorded make a difference";
    return turned ? `decided otherwise now, ${why}:` : `by these rules (${rulesHash}), which decide it so now:`;
  }
  const then =
    rulesHash === null ? "it is not recorded by which rules" : `by rules ${rulesHash} (generation ${generation})`;
  return `the rules ${rulesHash === null ? "may have changed" : "have changed"} since: ${then}; the rules of now decide it ${turned ? "otherwise" : "the same"}:`;
}

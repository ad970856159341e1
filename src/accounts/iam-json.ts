// An IAM rule as JSON: what the native API answers and `--json` shows.
import { momentJson } from "../moment.ts";
import type { IamRule } from "../store/directory.ts";

/** Its value is as it is stored; prices are decimal text, in USD per million tokens. */
export function iamRuleJson({ id, ruleType, ruleValue, status, createdMs, updatedMs }: IamRule): object {
  const times = { created: momentJson(createdMs), updated: momentJson(updatedMs) };
  return { id, rule_type: ruleType, rule_value: ruleValue, status, ...times };
}

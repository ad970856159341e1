// The error reference: what each `W…` and `I…` code is about, with an example and its repair.
import type { Code } from "./diagnostics.ts";
import type { CodeEntry, ErrorCode } from "./reference-errors.ts";

/** By code; the compiler sees to it that none is missing. */
export const WARNING_REFERENCE: Readonly<Record<Exclude<Code, ErrorCode>, CodeEntry>> = {
  W301: {
    cause:
      "A name is none that the gateway has, and nearly one that it has; or it is a model or provider that nobody offers. " +
      "The rule matches nothing. A team or key that is to come draws no warning.",
    wrong: "deny model gtp-4",
    remedy: "Mend the spelling.",
    right: "deny model gpt-4",
  },
  W302: {
    cause:
      "A price is so low or so high that it is most likely in another unit. A bare number is USD per million tokens.",
    wrong: "deny when price > 0.00003",
    remedy: "Write it per million tokens, or with its unit: `$30/M`, `$0.03/k`.",
    right: "deny when price > 30",
  },
  W303: {
    cause: "The same rule stands twice. Either could go without any decision changing.",
    wrong: "deny team ml\ndeny team ml",
    remedy: "Take one of them out.",
    right: "deny team ml",
  },
  W304: {
    cause:
      "An `allow` changes nothing under `default allow`, nor where a deny matches all that it matches; a `shadow allow` never does.",
    wrong: "deny model gpt-4\nallow model gpt-4 for team ml",
    remedy: "A deny always wins: write the exception into it, with `unless`.",
    right: "deny model gpt-4 unless team ml",
  },
  W305: {
    cause: "The rule's last day is over, so it is off.",
    wrong: "deny team ml until 2020-01-31",
    remedy: "Take the rule out, or give it a later date.",
    right: "deny team ml until 2099-12-31",
  },
  W306: {
    cause:
      "The rule matches only where a caller sends a certain header or metadata. Who leaves it out is not denied, nor counted.",
    wrong: 'deny when header["x-env"] = dev',
    remedy: "Deny whatever is not the value that you expect: `!=` and `not in` also match what is left out.",
    right: 'deny when header["x-env"] != prod',
  },
  W307: {
    cause: "None of the models that the rule names can meet its conditions, by today's prices and limits.",
    wrong: "deny model gpt-4o-mini when price > 10",
    remedy:
      "`tollgate rules expand` shows the models and their prices. Compare with another value, or take the rule out.",
    right: "deny model gpt-4 when price > 10",
  },
  W308: {
    cause: "Two rules have one id, so that a log line or a header does not say which of them decided.",
    wrong: "deny team ml as no\ndeny team search as no",
    remedy: "Give each its own.",
    right: "deny team ml as no-ml\ndeny team search as no-search",
  },
  W309: {
    cause: "No rule uses what a `let` makes.",
    wrong: "let @frontier = [gpt-4]",
    remedy: "Use it, or take it out.",
    right: "let @frontier = [gpt-4]\ndeny model @frontier",
  },
  W310: {
    cause: "Another rule matches whatever this one matches, so that this one changes no decision.",
    wrong: "deny model gpt-4\ndeny model gpt-4 for team ml",
    remedy: "Take the narrower rule out. If it was meant to be the only one, take the wider one out.",
    right: "deny model gpt-4",
  },
  W311: {
    cause: "Several `only` rules hold for the same people and have no model in common: these people have none.",
    wrong: "only model gpt-4 for team ml\nonly model gpt-4o-mini for team ml",
    remedy: "`only` rules intersect: write one with all the models.",
    right: "only model [gpt-4, gpt-4o-mini] for team ml",
  },
  W312: {
    cause: "No request meets all of the rule's conditions. Where what they compare is unknown, a deny may still match.",
    wrong: "deny when max_tokens > 8k and max_tokens < 4k",
    remedy: "Join them with `or`, compare with other values, or take the rule out.",
    right: "deny when max_tokens > 8k or max_tokens < 4k",
  },
  W313: {
    cause:
      "A condition after `when` holds for every request, or for every one that the rest of the rule leaves: it asks nothing.",
    wrong: "deny for team ml when n >= 1 and stream",
    remedy: "Take it out, or compare with another value.",
    right: "deny for team ml when n > 1 and stream",
  },
  W314: {
    cause:
      "A part of an `or`, or an `unless`, holds for no request that gets so far; or one part of an `or` holds only where another does.",
    wrong: "deny when max_tokens > 8k or max_tokens > 16k",
    remedy: "Take the part out, or compare with another value.",
    right: "deny when max_tokens > 8k",
  },
  W315: {
    cause: "The rule's `unless` holds for every request, so that the rule matches none.",
    wrong: "deny model gpt-4 unless n >= 1",
    remedy: "Compare with another value, or take the `unless` out.",
    right: "deny model gpt-4 unless n > 1",
  },
  W316: {
    cause:
      "A `limit` or `budget` counts by what a caller sends as it likes, such as a header. With a new value comes a new counter.",
    wrong: 'limit 100 requests per 1m by header["x-app"]',
    remedy: "Keep it, and put one by `key` or `team` beside it; or count by those alone.",
    right: "limit 100 requests per 1m by key",
  },
  I401: {
    cause: "The rule set has tests, and none of them meets this rule. A hint: it never fails a check.",
    wrong: 'deny team ml\ntest "search may" {\n  given team search\n  expect allow\n}',
    remedy: "Write a test that expects the rule to deny.",
    right: 'deny team ml\ntest "ml may not" {\n  given team ml\n  expect deny\n}',
  },
};

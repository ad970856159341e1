// Several plugins' decisions as one: all must allow, and nothing that any of them asks for is lost.
import t from "tap";
import { both, refuseDenied } from "../../src/decisions.ts";
import type { Decision, RuleQuota, Target } from "../../src/types.ts";

const target = (model: string): Target => ({ model, provider: "demo" }) as Target;
const [small, large] = [target("small"), target("large")];
const quota = (id: string): RuleQuota => ({ id, ruleId: id }) as RuleQuota;

function allow(targets: readonly Target[], more: Partial<Decision> = {}): Decision {
  const nothing = { denial: null, ruleIds: [], shadowIds: [], unknown: [], generation: 1 };
  return { effect: "allow", targets, ...nothing, ...more };
}

t.test("what is left are the targets that both allow", async (t) => {
  t.same(both(allow([small, large]), allow([large])).targets, [large]);
  const none = both(allow([small]), allow([large]));
  t.equal(none.effect, "deny");
  t.throws(() => refuseDenied(none), { code: "permission_denied" });
});

t.test("the first denial is the one that is told", async (t) => {
  const denied = both(allow([small]), allow([small], { effect: "deny", targets: [], denial: { message: "no" } }));
  t.match(denied, { effect: "deny", targets: [], denial: { message: "no" } });
});

t.test("warnings of both are kept", async (t) => {
  t.same(both(allow([small], { warnings: ["a"] }), allow([small], { warnings: ["b"] })).warnings, ["a", "b"]);
  t.equal(both(allow([small]), allow([small])).warnings, undefined);
});

t.test("limits and budgets of both apply, each counter once, to the targets that are left", async (t) => {
  const a = allow([small, large], {
    quotas: new Map([
      [small, [quota("q1")]],
      [large, [quota("q2")]],
    ]),
  });
  const b = allow([small], { quotas: new Map([[small, [quota("q1"), quota("q3")]]]) });
  const { quotas } = both(a, b);
  t.same([...(quotas?.keys() ?? [])], [small]);
  t.same(
    quotas?.get(small)?.map(({ id }) => id),
    ["q1", "q3"],
  );
  t.equal(both(allow([small]), allow([small])).quotas, undefined);
});

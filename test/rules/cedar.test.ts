// Cedar decides as we do: deny is forbid, allow is permit, a glob is `like`; sets, networks and numbers too.
import t from "tap";
import { compareWithCedar } from "./cedar.ts";

t.test("5,000 random rule sets, two requests each, are decided as Cedar decides them, by the same rules", async (t) => {
  const { compared, denied, mismatch } = compareWithCedar(1, 5_000, 2);
  t.equal(mismatch, null);
  t.equal(compared, 10_000);
  t.ok(denied > 2_000 && denied < 8_000, `${denied} denied`);
});

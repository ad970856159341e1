// Cedar decides as we do: deny is forbid, allow is permit, a glob is `like`; sets, networks and numbers too.
import t from "tap";
import { compareWithCedar } from "./cedar.ts";

t.test("2,500 random rule sets, four requests each through one memo, are decided as Cedar decides them", async (t) => {
  const { compared, denied, mismatch } = compareWithCedar(1, 2_500, 4);
  t.equal(mismatch, null);
  t.equal(compared, 10_000);
  t.ok(denied > 2_000 && denied < 8_000, `${denied} denied`);
});

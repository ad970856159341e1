// A plugin whose metrics cannot be collected.
import { definePlugin } from "../../../src/plugin.ts";

export default definePlugin({
  name: "failing-metrics",
  setup: () => ({
    metrics: () => {
      throw new Error("nothing was counted");
    },
  }),
});

// The contract that every store keeps: account objects, their pages, members and audit.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Test } from "tap";
import type { AccountKind, AccountObject, Directory, Fields } from "../../src/store/directory.ts";
import { newKey } from "../ledger/samples.ts";
import { open, type Suite } from "./rig.ts";

const by = { actor: "test" };

function secretOf(alias: string) {
  const { hash, prefix, lastFour } = newKey(alias);
  return { hash, prefix, lastFour };
}

function add(directory: Directory, kind: AccountKind, fields: Fields, id?: string): Promise<AccountObject> {
  const secret = kind === "key" ? secretOf(String(fields.alias)) : undefined;
  return directory.insert({ kind, id, fields, bounds: {}, secret }, by);
}

const aliases = (items: readonly AccountObject[]): unknown[] => items.map(({ fields }) => fields.alias);

/** Every page of a list, by the cursor that each gives. */
async function pages(
  directory: Directory,
  kind: AccountKind,
  query: Parameters<Directory["list"]>[1],
): Promise<readonly (readonly unknown[])[]> {
  const all: unknown[][] = [];
  let after: string | undefined;
  do {
    const page = await directory.list(kind, { ...query, after });
    all.push(aliases(page.items));
    after = page.next ?? undefined;
  } while (after !== undefined);
  return all;
}

async function rejectsCode(t: Test, code: string, work: Promise<unknown>): Promise<void> {
  await t.rejects(work, { name: "StoreError", code });
}

/** Objects by fields. */
export const directory: Suite = {
  "an object is found by id and alias, with the fields it was given and stamps of who and when": async (t, fresh) => {
    const { store, clock } = open(t, fresh);
    const fields = { alias: "ml", models: ["a"], metadata: { n: { m: [1, null] } }, rpmLimit: 0, status: "paused" };
    const made = await add(
      store.directory,
      "team",
      { ...fields, budgets: [{ limitUsd: "0.5", window: "30d" }] },
      "my-team",
    );
    t.match(made, {
      kind: "team",
      id: "my-team",
      version: 1,
      createdBy: "test",
      updatedBy: "test",
      secret: null,
      bounds: {},
    });
    t.equal(made.createdMs, clock.nowMs());
    t.match(made.fields, { ...fields, orgId: null, budgets: [{ limitUsd: "0.5", window: "30d" }] });
    t.strictSame(await store.directory.get("team", "my-team"), made);
    t.strictSame(await store.directory.find("team", "ml"), made);
    t.equal(await store.directory.get("team", "ml"), null, "an alias is no id");
    t.equal(await store.directory.get("org", "my-team"), null, "nor is one kind another");
    const key = await add(store.directory, "key", { alias: "k", teamId: "my-team", tags: ["x"], expiresMs: 5 });
    t.match(key.id, /^key_[0-9a-f]{24}$/);
    t.equal(key.secret?.hash, secretOf("k").hash.toString("hex"));
    t.match(key.secret, { prefix: "sk-demo", lastFour: "demo", lastUsedMs: null, graceUntilMs: null });
    t.equal((await store.directory.findBySecret(secretOf("k").hash))?.id, key.id);
    t.equal(await store.directory.findBySecret(secretOf("other").hash), null);
    t.match(store.accounts.findKey(secretOf("k").hash)?.principal, { team: { id: "my-team" }, tags: ["x"] });
  },

  "a change sets what it names, takes back what is null, and must know the version": async (t, fresh) => {
    const { store } = open(t, fresh);
    const { id } = await add(store.directory, "team", { alias: "ml", models: ["a"], rpmLimit: 5 });
    const change = { kind: "team", id, version: 1, bounds: { models: [{ rank: 3, value: ["a"] }] } } as const;
    const changed = await store.directory.update(
      { ...change, fields: { rpmLimit: null, tpmLimit: 9, status: "paused" } },
      by,
    );
    t.match(changed, { version: 2, bounds: change.bounds });
    t.match(changed.fields, { alias: "ml", models: ["a"], tpmLimit: 9, status: "paused" });
    t.notOk("rpmLimit" in changed.fields);
    await rejectsCode(t, "stale", store.directory.update({ ...change, fields: { tpmLimit: 1 } }, by));
    await rejectsCode(t, "stale", store.directory.remove([{ kind: "team", id, version: 1 }], by));
    const back = await store.directory.update({ ...change, version: 2, fields: { status: null } }, by);
    t.equal(back.fields.status, "active", "what has a column has its default there");
  },

  "what cannot be is refused by code and changes nothing": async (t, fresh) => {
    const { store } = open(t, fresh);
    const team = await add(store.directory, "team", { alias: "ml" }, "t1");
    await add(store.directory, "team", { alias: "ops" }, "t2");
    const revision = store.accounts.revision();
    await rejectsCode(t, "alias_taken", add(store.directory, "team", { alias: "ml" }));
    await rejectsCode(t, "id_taken", add(store.directory, "team", { alias: "new" }, "t1"));
    const change = { kind: "team", id: "t1", version: team.version, bounds: {} } as const;
    await rejectsCode(
      t,
      "alias_taken",
      store.directory.update({ ...change, fields: { rpmLimit: 1, alias: "ops" } }, by),
    );
    await rejectsCode(t, "alias_taken", store.directory.update({ ...change, fields: { alias: "t2" } }, by));
    await rejectsCode(t, "alias_taken", add(store.directory, "team", { alias: "t2" }));
    await rejectsCode(t, "id_taken", add(store.directory, "team", { alias: "new" }, "ops"));
    await rejectsCode(t, "no_such_object", store.directory.update({ ...change, id: "t3", fields: {} }, by));
    const rich = [{ limitUsd: "99999999999", window: "day" }];
    await rejectsCode(t, "out_of_range", store.directory.update({ ...change, fields: { budgets: rich } }, by));
    await rejectsCode(t, "too_long", store.directory.update({ ...change, fields: { rules: "#".repeat(65_537) } }, by));
    await rejectsCode(
      t,
      "no_such_object",
      store.directory.removeMember({ kind: "team", objectId: "t1", userId: "x" }, by),
    );
    const all = [
      { kind: "team", id: "t2", version: 1 },
      { kind: "team", id: "t3", version: 1 },
    ] as const;
    await rejectsCode(t, "no_such_object", store.directory.remove(all, by));
    t.strictSame(await store.directory.get("team", "t1"), team);
    t.equal(await store.directory.count("team", {}), 2, "all or none are deleted");
    t.equal(store.accounts.revision(), revision);
    t.equal((await store.directory.audit({ limit: 99 })).length, 2);
  },

  "pages go on where the one before ended, also when what ended it was deleted or others were added": async (
    t,
    fresh,
  ) => {
    const { store } = open(t, fresh);
    for (const alias of ["e", "a", "d", "b", "c"]) await add(store.directory, "team", { alias }, `t-${alias}`);
    t.same(await pages(store.directory, "team", { limit: 2 }), [["e", "a"], ["d", "b"], ["c"]], "oldest first");
    t.same(
      await pages(store.directory, "team", { limit: 2, aliasPrefix: "" }),
      [["a", "b"], ["c", "d"], ["e"]],
      "by alias",
    );
    const first = await store.directory.list("team", { limit: 2 });
    await store.directory.remove([{ kind: "team", id: "t-a", version: 1 }], by);
    await add(store.directory, "team", { alias: "f" });
    const second = await store.directory.list("team", { limit: 9, after: first.next ?? "" });
    t.same(aliases(second.items), ["d", "b", "c", "f"]);
    t.same(aliases((await store.directory.list("team", { limit: 2, skip: 3 })).items), ["c", "f"], "numbered pages");
    t.equal(second.next, null);
  },

  "a list is narrowed by place, status and the beginning of the alias": async (t, fresh) => {
    const { store } = open(t, fresh);
    await add(store.directory, "org", { alias: "acme" }, "acme");
    await add(store.directory, "team", { alias: "ml", orgId: "acme" }, "ml");
    await add(store.directory, "team", { alias: "ops" }, "ops");
    await add(store.directory, "user", { alias: "ann" }, "ann");
    await add(store.directory, "key", { alias: "k1", teamId: "ml" }, "k1");
    await add(store.directory, "key", { alias: "k2", teamId: "ops", userId: "ann" }, "k2");
    await add(store.directory, "key", { alias: "other", status: "disabled" }, "k3");
    const keys = async (query: Omit<Parameters<Directory["list"]>[1], "limit">): Promise<unknown[]> => {
      const { items } = await store.directory.list("key", { ...query, limit: 9 });
      t.equal(await store.directory.count("key", query), items.length);
      return aliases(items);
    };
    t.same(await keys({}), ["k1", "k2", "other"]);
    t.same(await keys({ within: { teamIds: ["ml"] } }), ["k1"]);
    t.same(await keys({ within: { userId: "ann", teamIds: ["ml"] } }), ["k1", "k2"], "any of the places");
    t.same(await keys({ within: { ids: ["k3"] } }), ["other"]);
    t.same(await keys({ within: {} }), [], "no place is nowhere");
    t.same(await keys({ within: { teamIds: [] } }), []);
    t.same(await keys({ aliasPrefix: "k" }), ["k1", "k2"]);
    t.same(await keys({ aliasPrefix: "k%" }), [], "no pattern");
    t.same(await keys({ status: "disabled" }), ["other"]);
    t.same(await keys({ aliasPart: "th" }), ["other"]);
    t.same(await keys({ aliasPart: "k", status: "active" }), ["k1", "k2"]);
    t.same(await keys({ aliasPart: "K%" }), []);
    t.same(await keys({ isReversed: true }), ["other", "k2", "k1"]);
    t.same(await keys({ aliasPrefix: "k", isReversed: true }), ["k2", "k1"]);
    t.same(await keys({ within: { orgIds: ["acme"] } }), ["k1"], "keys of an organisation's teams");
    t.same(
      await keys({ within: [{ userId: "ann", teamIds: ["ml"] }, { teamIds: ["ops"] }] }),
      ["k2"],
      "in all of several",
    );
    t.same(await keys({ within: [{ userId: "ann" }, { orgIds: ["acme"] }] }), []);
    t.same(await keys({ within: [] }), ["k1", "k2", "other"]);
    t.same(await pages(store.directory, "key", { limit: 2, isReversed: true }), [["other", "k2"], ["k1"]]);
    t.same(aliases((await store.directory.list("team", { limit: 9, within: { orgIds: ["acme"] } })).items), ["ml"]);
  },

  "aliases are searched for a part of them, in capitals or not, in every place and on every page": async (t, fresh) => {
    const { store } = open(t, fresh);
    await add(store.directory, "team", { alias: "ml" }, "ml");
    const named = ["web-app", "App-1", "api", 'say "app"', "x%y_z", "Straße", "日本語アプリ"];
    for (const [n, alias] of named.entries())
      await add(store.directory, "key", { alias, teamId: n < 3 ? "ml" : null }, `k${n}`);
    const search = async (text: string, more: Partial<Parameters<Directory["list"]>[1]> = {}): Promise<unknown[]> => {
      const query = { search: text, ...more };
      const found = (await pages(store.directory, "key", { ...query, limit: 1 })).flat();
      t.equal(await store.directory.count("key", query), found.length);
      return found;
    };
    t.same(await search("app"), ["web-app", "App-1", 'say "app"']);
    t.same(await search("APP"), ["web-app", "App-1", 'say "app"']);
    t.same(await search('"app"'), ['say "app"']);
    t.same(await search("app OR api"), [], "no query language");
    t.same(await search("%y_"), ["x%y_z"]);
    t.same(await search("a_p"), [], "no pattern");
    t.same(await search("traß"), ["Straße"]);
    t.same(await search("語アプ"), ["日本語アプリ"]);
    t.same(await search("ap"), ["api"], "two characters begin the alias");
    t.same(await search("app", { within: { teamIds: ["ml"] } }), ["web-app", "App-1"]);
    t.same(await search("%y_", { within: { teamIds: ["ml"] } }), []);
    t.same(await search("app", { within: { ids: ["k1"] }, status: "active" }), ["App-1"]);
    t.same(await search("app", { status: "disabled" }), []);
    t.same(await search("app", { aliasPrefix: "w" }), ["web-app"]);
    const change = { kind: "key", id: "k0", version: 1, bounds: {}, fields: { alias: "web-srv" } } as const;
    const renamed = await store.directory.update(change, by);
    t.same(await search("app"), ["App-1", 'say "app"'], "a new name takes the place of the old");
    t.same(await search("-srv"), ["web-srv"]);
    await store.directory.remove([renamed], by);
    t.same(await search("-srv"), []);
  },

  "what is deleted is gone, its alias is free, and what is in it goes too": async (t, fresh) => {
    const { store } = open(t, fresh);
    await add(store.directory, "org", { alias: "acme" }, "acme");
    await add(store.directory, "team", { alias: "ml", orgId: "acme" }, "ml");
    await add(store.directory, "user", { alias: "ann" }, "ann");
    await add(store.directory, "key", { alias: "k", teamId: "ml" });
    await store.directory.setMember({ kind: "team", objectId: "ml", userId: "ann", role: "admin" }, by);
    await store.directory.remove([{ kind: "org", id: "acme", version: 1 }], by);
    for (const [kind, id] of [
      ["org", "acme"],
      ["team", "ml"],
    ] as const) {
      t.equal(await store.directory.get(kind, id), null);
      t.equal(await store.directory.find(kind, id), null);
    }
    t.equal(store.accounts.findKey(secretOf("k").hash)?.status, "revoked");
    t.same(await store.directory.membershipsOf("ann"), []);
    for (const kind of ["key", "team", "org"] as const) t.equal(await store.directory.count(kind, {}), 0, kind);
    t.notOk(store.accounts.hasName("team", "ml"));
    t.same(store.accounts.namesNear("team", "ml"), []);
    t.same((await store.directory.list("team", { limit: 9, search: "ml-team" })).items, []);
    t.ok(await add(store.directory, "team", { alias: "ml" }), "the alias is free");
    await rejectsCode(t, "id_taken", add(store.directory, "org", { alias: "x" }, "acme"));
    const deleted = (await store.directory.audit({ limit: 99 })).filter(({ action }) => action === "delete");
    t.same(
      deleted.map(({ kind }) => kind),
      ["org", "team", "key"],
    );
  },

  "members are listed by id in pages; adding one again changes the role": async (t, fresh) => {
    const { store } = open(t, fresh);
    await add(store.directory, "team", { alias: "ml" }, "ml");
    for (const id of ["c", "a", "b"]) {
      await add(store.directory, "user", { alias: id }, id);
      await store.directory.setMember({ kind: "team", objectId: "ml", userId: id, role: "user" }, by);
    }
    const page = await store.directory.members("team", "ml", { limit: 2 });
    t.same([page.items.map(({ userId }) => userId), page.next], [["a", "b"], "b"]);
    const last = await store.directory.members("team", "ml", { after: "b", limit: 2 });
    t.same([last.items.map(({ userId }) => userId), last.next], [["c"], null]);
    await store.directory.setMember({ kind: "team", objectId: "ml", userId: "a", role: "admin" }, by);
    t.equal((await store.directory.member("team", "ml", "a"))?.role, "admin");
    t.equal(await store.directory.member("org", "ml", "a"), null);
    await store.directory.removeMember({ kind: "team", objectId: "ml", userId: "a" }, by);
    t.equal(await store.directory.member("team", "ml", "a"), null);
    const ghost = { kind: "team", objectId: "ml", userId: "nobody", role: "user" } as const;
    await rejectsCode(t, "no_such_object", store.directory.setMember(ghost, by));
  },

  "who leaves a team leaves it with keys that are disabled; other keys stay": async (t, fresh) => {
    const { store } = open(t, fresh);
    for (const id of ["ml", "ops"]) await add(store.directory, "team", { alias: id }, id);
    for (const id of ["ann", "bob"]) {
      await add(store.directory, "user", { alias: id }, id);
      await store.directory.setMember({ kind: "team", objectId: "ml", userId: id, role: "user" }, by);
    }
    const places: Record<string, Fields> = {
      mine: { teamId: "ml", userId: "ann" },
      elsewhere: { teamId: "ops", userId: "ann" },
      personal: { userId: "ann" },
      another: { teamId: "ml", userId: "bob" },
      service: { teamId: "ml" },
    };
    const ids = new Map<string, string>();
    for (const [alias, fields] of Object.entries(places)) {
      const { prefix, lastFour, hash } = newKey(alias);
      const secret = { prefix, lastFour, hash };
      const { id } = await store.directory.insert(
        { kind: "key", fields: { alias, ...fields }, bounds: {}, secret },
        by,
      );
      ids.set(alias, id);
    }
    const since = store.accounts.revision();
    await store.directory.removeMember({ kind: "team", objectId: "ml", userId: "ann" }, by);
    for (const [alias, id] of ids) {
      const key = await store.directory.get("key", id);
      t.equal(key?.fields.status ?? "active", alias === "mine" ? "disabled" : "active", alias);
    }
    const changed = store.accounts.changesSince(since) ?? [];
    t.ok(
      changed.some(({ objectId }) => objectId === ids.get("mine")),
      "caches learn it",
    );
    const lines = await store.directory.audit({ object: "mine", limit: 10 });
    t.match(lines.at(-1), { action: "update", field: "status", old: "active", new: "disabled" });
  },

  "what has changed since a revision is told by kind and id, to other processes too": async (t, fresh) => {
    const database = fresh(t);
    const { store, clock } = open(t, () => database);
    const { store: other } = open(t, () => database, clock);
    const since = store.accounts.revision();
    t.same(store.accounts.changesSince(since), []);
    const { id } = await add(other.directory, "team", { alias: "ml" });
    const key = other.accounts.createKey(newKey("demo", { teamAlias: "ml" }));
    other.accounts.setKeyStatus("demo", "disabled");
    await nextTurn();
    t.same(store.accounts.changesSince(since), [
      { kind: "team", objectId: id },
      { kind: "key", objectId: key.id },
    ]);
    t.same(store.accounts.changesSince(store.accounts.revision()), []);
    for (let i = 0; i < 1_001; i += 1) await add(other.directory, "group", { alias: `g${i}` });
    t.equal(store.accounts.changesSince(since), null, "so many that all had better be forgotten");
  },

  "what was made in either way is one and the same": async (t, fresh) => {
    const { store } = open(t, fresh);
    store.accounts.createOrg("acme", "deny\n");
    store.accounts.createTeam("ml", { limitNanoUsd: 5n, window: "day" }, { orgAlias: "acme" });
    store.accounts.createKey(newKey("demo", { teamAlias: "ml", userAlias: "ann", roles: ["r"], tags: ["t"] }));
    t.match((await store.directory.find("org", "acme"))?.fields, { rules: "deny\n", status: "active" });
    t.match((await store.directory.find("team", "ml"))?.fields, {
      budgets: [{ limitUsd: "0.000000005", window: "day" }],
    });
    t.match((await store.directory.find("key", "demo"))?.fields, { userId: "ann", roles: ["r"], tags: ["t"] });
    t.match(await store.directory.get("user", "ann"), { fields: { alias: "ann", role: "internal_user" } });
    t.ok(store.accounts.hasKeys());
    const { length } = await store.directory.audit({ limit: 99 });
    t.equal(length, 4, "and each is in the audit log");
  },
};

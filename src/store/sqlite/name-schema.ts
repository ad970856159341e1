// The step of the schema that makes names searchable: a step of migrations.ts, never edited once it is released.

/** Tables whose aliases can be searched. */
const NAMED = ["organizations", "teams", "users", "keys", "access_groups"] as const;

/** An index of all parts of three characters of the aliases of what is not deleted; triggers keep it. */
const searchOf = (table: string): string => `
  CREATE VIRTUAL TABLE ${table}_search USING fts5(alias, content='${table}', content_rowid='seq', tokenize='trigram');
  INSERT INTO ${table}_search (rowid, alias) SELECT seq, alias FROM ${table} WHERE deleted_ms IS NULL;
  CREATE TRIGGER ${table}_search_insert AFTER INSERT ON ${table} BEGIN
    INSERT INTO ${table}_search (rowid, alias) VALUES (new.seq, new.alias);
  END;
  CREATE TRIGGER ${table}_search_update AFTER UPDATE OF alias, deleted_ms ON ${table} BEGIN
    INSERT INTO ${table}_search (${table}_search, rowid, alias)
      SELECT 'delete', old.seq, old.alias WHERE old.deleted_ms IS NULL;
    INSERT INTO ${table}_search (rowid, alias) SELECT new.seq, new.alias WHERE new.deleted_ms IS NULL;
  END;`;

/** Search by a part of the alias; and the few keys that rules are kept on are found without reading all. */
export const NAMES = `${NAMED.map(searchOf).join("")}
  CREATE INDEX keys_rules ON keys (seq) WHERE rules IS NOT NULL;
`;

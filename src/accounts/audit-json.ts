// Lines of the audit log as JSON, for the API and `--json`.
import { momentJson } from "../moment.ts";
import type { AuditEntry } from "../store/directory.ts";
import { wireName } from "./fields.ts";

/** A line: `id` and `alias` are the object's. */
export function auditJson(entry: AuditEntry): object {
  const { seq, atMs, actor, action, kind, objectId, objectAlias, field, old } = entry;
  const at = momentJson(atMs);
  return {
    seq,
    at,
    actor,
    action,
    kind,
    id: objectId,
    alias: objectAlias,
    field: fieldNamed(field),
    old,
    new: entry.new,
  };
}

/** A field's name as people write it; what is no field's (a member's) stays. */
export function fieldNamed(field: string | null): string | null {
  return field === null || field.includes(" ") ? field : wireName(field);
}

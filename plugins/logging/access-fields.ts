// What the access line says of a request: ids and sums, no secret and no body.
import { type AccessRecord, formatUsd } from "../../src/plugin.ts";

/** A flat object: log tools filter on top-level fields. What a request does not have is left out. */
export interface AccessFields {
  request_id: string;
  [name: string]: string | number | boolean | readonly string[];
}

/** Field names are snake_case; durations are milliseconds, `cost_usd` and `reserved_usd` decimal dollars as text. */
export function accessFields(entry: AccessRecord): AccessFields {
  const fields: AccessFields = {
    request_id: entry.id,
    method: entry.method,
    path: entry.path,
    status: entry.status,
    outcome: entry.outcome,
    ip: entry.ip,
  };
  addWho(fields, entry);
  addDecision(fields, entry);
  addSpend(fields, entry);
  if (entry.firstByteMs !== null) fields.first_byte_ms = toTenths(entry.firstByteMs);
  fields.total_ms = toTenths(entry.totalMs);
  fields.request_bytes = entry.requestBytes;
  fields.response_bytes = entry.responseBytes;
  return fields;
}

function addWho(fields: AccessFields, entry: AccessRecord): void {
  if (entry.keyId !== null) fields.key_id = entry.keyId;
  if (entry.keyAlias !== null) fields.key = entry.keyAlias;
  if (entry.teamAlias !== null) fields.team = entry.teamAlias;
  if (entry.userId !== null) fields.user_id = entry.userId;
  if (entry.orgId !== null) fields.org_id = entry.orgId;
}

function addDecision(fields: AccessFields, entry: AccessRecord): void {
  if (entry.endpoint !== null) fields.endpoint = entry.endpoint;
  if (entry.model !== null) fields.model = entry.model;
  if (entry.modelRequested !== null && entry.modelRequested !== entry.model) {
    fields.model_requested = entry.modelRequested;
  }
  if (entry.provider !== null) fields.provider = entry.provider;
  if (entry.stream) fields.stream = true;
  if (entry.decision !== null) fields.decision = entry.decision;
  if (entry.error !== null) fields.error = entry.error;
  if (entry.ruleIds.length > 0) fields.rules = entry.ruleIds;
  if (entry.shadowIds.length > 0) fields.shadow_rules = entry.shadowIds;
  if (entry.warningIds.length > 0) fields.warnings = entry.warningIds;
  if (entry.refusedById !== undefined) fields.refused_by = entry.refusedById;
  if (entry.unknown.length > 0) fields.unknown = entry.unknown;
  if (entry.generation > 0) fields.generation = entry.generation;
}

function addSpend(fields: AccessFields, { usage, costNanoUsd, reservedNanoUsd }: AccessRecord): void {
  if (usage !== null) {
    fields.input_tokens = usage.inputTokens;
    fields.output_tokens = usage.outputTokens;
    if (usage.cachedInputTokens > 0) fields.cached_input_tokens = usage.cachedInputTokens;
    if (usage.cacheWriteTokens > 0) fields.cache_write_tokens = usage.cacheWriteTokens;
    if (usage.estimated) fields.estimated = true;
  }
  if (reservedNanoUsd > 0) fields.reserved_usd = formatUsd(reservedNanoUsd);
  fields.cost_usd = formatUsd(costNanoUsd);
}

function toTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

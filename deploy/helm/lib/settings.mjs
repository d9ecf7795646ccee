/**
 * The settings of the services that the chart takes under `muster`: those of their schemas, without what is secret and what
 * the chart says by itself.
 */

import { describeField, isSecret } from "../../../shared/runtime/dist/config-doc.js";
import { COUPLED_TIMES } from "../../../shared/runtime/dist/coupled-times.js";

/**
 * From other values: ports from the Services, livekitUrl from `livekit`; a host other than all would hide a pod from its probes,
 * and another port its metrics from the ServiceMonitor.
 */
const OF_THE_CHART = new Set(["host", "port", "livekitUrl", "dev", "metricsPort"]);

/** `livekitUrl` is named by the template, which gives it to those that know it. */
export function settingsOf(schemas) {
  const entries = Object.entries(schemas).map(([service, schema]) => {
    const keys = Object.keys(schema.shape).filter((key) => !OF_THE_CHART.has(key) && !isSecret(schema, key));
    return [
      service,
      keys.map((key) => ({ key, about: describeField(schema, key), form: formOf(schema, key) })),
    ];
  });
  return Object.fromEntries(entries);
}

/** Each service's own check says the rest, when it starts. */
function formOf(schema, key) {
  if (/Ms$/.test(key)) return { type: ["integer", "string"], minimum: 0, pattern: "^[0-9]+(ms|s|m|h|d)?$" };
  for (const [value, form] of [
    [true, { type: "boolean" }],
    [1, { type: "integer" }],
  ])
    if (schema.shape[key].safeParse(value).success) return form;
  return { type: "string" };
}

/** The template that knows which service knows what. */
export function settingsTemplate(schemas, settings) {
  const lines = Object.entries(settings).map(([service, known]) => {
    const asksLivekit = "livekitUrl" in schemas[service].shape ? ["livekitUrl"] : [];
    return `${service}: [${[...known.map(({ key }) => key), ...asksLivekit].join(", ")}]`;
  });
  return `{{/* Which service knows which settings. Written by \`npm run docs\` from their schemas: change those. */}}
{{- define "muster.settings" -}}
${lines.join("\n")}
{{- end }}

{{/* Which times of a service hang together (shared/runtime/src/coupled-times.ts), with their defaults. */}}
{{- define "muster.coupledTimes" -}}
${Object.entries(schemas).map(coupledLine).join("\n")}
{{- end }}
`;
}

function coupledLine([service, schema]) {
  const msOf = (key) => schema.shape[key].parse(undefined);
  const pairs = COUPLED_TIMES.filter(({ field, than }) => field in schema.shape && than in schema.shape);
  const items = pairs.map(
    ({ field, than, part, zeroIsOff }) =>
      `{field: ${field}, default: ${msOf(field)}, than: ${than}, thanDefault: ${msOf(than)}, part: ${part}, zeroIsOff: ${zeroIsOff}}`,
  );
  return `${service}: [${items.join(", ")}]`;
}

/**
 * livekit-schema.ts: for each message the table of its fields that src/json/ walks. Messages come after those they
 * contain, so that tables refer to each other directly and nothing is looked up by name at run time.
 */

import { isMessage } from "./emit-types.mjs";

export function emitSchema(messages, enums) {
  const parts = [
    'import { type EnumSchema, enumSchema, type MessageSchema } from "../json/json-schema.js";',
    'import * as livekit from "./livekit.js";\n',
  ];
  for (const { name } of enums) {
    parts.push(`const ${name}Schema: EnumSchema = enumSchema("${name}", livekit.${name});`);
  }
  for (const message of inDependencyOrder(messages)) parts.push(emitMessage(message));
  return `${parts.join("\n")}\n`;
}

function inDependencyOrder(messages) {
  const ordered = new Set();
  const visit = (message) => {
    if (ordered.has(message)) return;
    for (const field of message.fieldsArray) if (isMessage(field)) visit(field.resolvedType);
    ordered.add(message);
  };
  messages.forEach(visit);
  return ordered;
}

function emitMessage(message) {
  const { name } = message;
  const fields = message.fieldsArray.map((field) => `    { ${describe(field).join(", ")} },`);
  return [
    `\nexport const ${name}Schema: MessageSchema<livekit.${name}> = {`,
    `  name: "${name}",`,
    `  codec: livekit.${name},`,
    fields.length === 0 ? "  fields: []," : `  fields: [\n${fields.join("\n")}\n  ],`,
    "};",
  ].join("\n");
}

function describe(field) {
  const parts = [`name: "${field.name}"`, `protoName: "${protoName(field)}"`, `label: "${labelOf(field)}"`];
  const oneof = field.partOf && !field.partOf.isProto3Optional ? `"${field.partOf.name}"` : "undefined";
  parts.push(`oneof: ${oneof}`);
  if (isMessage(field)) parts.push('kind: "message"', `message: ${field.resolvedType.name}Schema`);
  else if (field.resolvedType) parts.push('kind: "enum"', `values: ${tsName(field.resolvedType)}Schema`);
  else parts.push(`kind: "${field.type}"`);
  return parts;
}

function labelOf(field) {
  if (field.map) {
    if (field.keyType !== "string")
      throw new Error(`${field.fullName}: only maps keyed by string are handled`);
    return "map";
  }
  if (field.repeated) return "repeated";
  return field.partOf ? "optional" : "single";
}

/** The snake_case name that the .proto file gives; protobufjs keeps only the camelCase one. */
function protoName(field) {
  return field.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function tsName(enumeration) {
  const { parent } = enumeration;
  return "fieldsArray" in parent ? `${parent.name}_${enumeration.name}` : enumeration.name;
}

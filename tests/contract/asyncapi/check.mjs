// Prints what AsyncAPI's own parser has against the document on standard input, as JSON. Argument: its folder.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { Parser } = createRequire(`${process.argv[2]}/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const errors = diagnostics.filter((one) => one.severity === 0).map((one) => `${one.path.join(".")}: ${one.message}`);
console.log(JSON.stringify({ read: document !== undefined, errors }));

// Converts units by the UCUM library of the National Library of Medicine: [[code, base], …] in, numbers or texts out.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const ucum = require("@lhncbc/ucum-lhc").UcumLhcUtils.getInstance();
const pairs = JSON.parse(readFileSync(0, "utf8"));
const said = pairs.map(([code, base]) => ucum.convertUnitTo(code, 1, base));
console.log(JSON.stringify(said.map((one) => (one.status === "succeeded" ? one.toVal : String(one.msg)))));

// Compiles exported CQL libraries with the reference compiler and asks them of patients with the reference engine.
//
//   node run_cql.mjs ORACLE_DIR < job.json > answers.json
//
// ORACLE_DIR has node_modules, and keeps what was compiled. The job: {libraries: {name: cql},
// questions: [{library, asOf, patient: bundle}]}. The answers, in the order of the questions: {Pattern, Held, Covered,
// Fires, Severity}. Exit 1 when a library does not compile, with the compiler's words.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const ASKED = ["Pattern", "Held", "Covered", "Fires", "Severity"];
const oracle = path.resolve(process.argv[2]);
const here = path.dirname(new URL(import.meta.url).pathname);
const require = createRequire(path.join(oracle, "package.json"));
const cql = require("cql-execution");
const fhir = require("cql-exec-fhir");
const ucum = require("@lhncbc/ucum-lhc").UcumLhcUtils.getInstance();
const MODELS = {
  System: path.join(here, "system-modelinfo.xml"),
  FHIR: path.join(oracle, "node_modules/cql-exec-fhir/lib/modelInfos/fhir-modelinfo-4.0.1.xml"),
};

// ELM by library name: from the last run when the text is the same.
async function compiled(libraries) {
  const hash = createHash("sha256").update(JSON.stringify(libraries)).digest("hex").slice(0, 16);
  const kept = path.join(oracle, `elm-${hash}.json`);
  if (existsSync(kept)) {
    return JSON.parse(readFileSync(kept, "utf8"));
  }
  const elm = await translated(libraries);
  readdirSync(oracle).filter((file) => file.startsWith("elm-")).forEach((file) => rmSync(path.join(oracle, file)));
  writeFileSync(kept, JSON.stringify(elm));
  return elm;
}

// One library that includes all the others, so that each is compiled once.
async function translated(libraries) {
  const file = path.join(oracle, "node_modules/@cqframework/cql/cql-to-elm.mjs");
  const translator = await import(pathToFileURL(file).href);
  const models = new translator.ModelManager();
  models.modelInfoLoader.registerModelInfoProvider(
    translator.createModelInfoProvider((name) => translator.stringAsSource(readFileSync(MODELS[name], "utf8"))),
  );
  const plain = new translator.CqlCompilerOptions();
  plain.setOptions([translator.CqlCompilerOptions.Options.DisableListDemotion]);
  const manager = new translator.LibraryManager(models, plain, undefined, units(translator));
  manager.librarySourceLoader.registerProvider(
    translator.createLibrarySourceProvider((name) => translator.stringAsSource(libraries[name])),
  );
  const includes = Object.entries(libraries).map(([name, text]) => {
    const version = /^library \S+ version '([^']+)'/m.exec(text)[1];
    return `include ${name} version '${version}'`;
  });
  const everything = ["library Everything version '1'", "using FHIR version '4.0.1'", ...includes, ""].join("\n");
  const done = translator.CqlTranslator.fromText(everything, manager);
  const errors = done.errors.asJsReadonlyArrayView();
  if (errors.length) {
    throw new Error(errors.slice(0, 9).map((e) => `${e.message} ${e.locator ?? ""}`).join("\n"));
  }
  const elm = {};
  for (const [identifier, library] of done.libraries.asJsReadonlyMapView()) {
    elm[identifier.id] = JSON.parse(translator.CqlTranslator.convertToJson(library));
  }
  return elm;
}

// The compiler asks only whether a unit is one; null says that it is.
function units(translator) {
  const never = () => {
    throw new Error("the compiler calculates with no units");
  };
  const wrong = (unit) => {
    const said = ucum.validateUnitString(unit);
    return said.status === "valid" ? null : `not a UCUM unit: ${unit}`;
  };
  return translator.createUcumService(never, wrong, never, never);
}

// Libraries by name, each built once; the engine's own repository builds one anew for each that includes it.
class Shelf {
  built = {};
  constructor(elm) {
    this.elm = elm;
  }
  resolve(uri) {
    const name = uri.split("/").pop();
    return (this.built[name] ??= new cql.Library(this.elm[name], this));
  }
}

const source = fhir.PatientSource.FHIRv401();

async function answered(question, library) {
  source.reset();
  source.loadBundles([question.patient]);
  const asOf = cql.DateTime.parse(question.asOf);
  const context = new cql.PatientContext(library, source.currentPatient(), null, { AsOf: asOf }, asOf);
  const answer = {};
  for (const name of ASKED) {
    answer[name] = await library.expressions[name].execute(context);
  }
  return answer;
}

const job = JSON.parse(readFileSync(0, "utf8"));
const started = performance.now();
const elm = await compiled(job.libraries);
const compiledAt = performance.now();
const shelf = new Shelf(elm);
const answers = [];
for (const question of job.questions) {
  answers.push(await answered(question, shelf.resolve(question.library)));
}
const seconds = (from, to) => Math.round(to - from) / 1000;
const took = { compiling: seconds(started, compiledAt), asking: seconds(compiledAt, performance.now()) };
process.stdout.write(JSON.stringify({ answers, took }));

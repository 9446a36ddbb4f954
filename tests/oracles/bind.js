// Reads queries from standard input, one JSON text a line, and answers for each with the errors, their places and
// the columns that Microsoft's language service finds. Tables and columns are those of Resource Graph.
require("@kusto/language-service-next/bridge.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.js");
const L = Kusto.Language, S = L.Symbols;
const columns = "(id:string,name:string,type:string,tenantId:string,['kind']:string,location:string,resourceGroup:string," +
  "subscriptionId:string,managedBy:string,sku:dynamic,plan:dynamic,properties:dynamic,tags:dynamic,identity:dynamic," +
  "zones:dynamic,extendedLocation:dynamic)";
const names = ["resources", "Resources", "resourcecontainers", "ResourceContainers", "maintenanceresources",
  "patchassessmentresources"];
// A column of each type, for the table of types.
const kinds = ["bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "guid", "dynamic"];
const tables = names.map((name) => new S.TableSymbol.$ctor7(name, columns));
tables.push(new S.TableSymbol.$ctor7("kinds", "(" + kinds.map((kind) => `${kind}_:${kind}`).join(",") + ")"));
const globals = L.GlobalState.Default.WithDatabase(new S.DatabaseSymbol.$ctor1("db", tables));

function bind(text) {
  const code = L.KustoCode.ParseAndAnalyze(text, globals);
  const found = code.GetDiagnostics(), errors = [], places = [];
  for (let i = 0; i < found.Count; i++) {
    const one = found.getItem(i);
    if (one.Severity !== "Error") continue;
    errors.push(`${one.Code} ${one.Message}`);
    places.push(one.Start);
  }
  const result = code.ResultType, schema = [];
  if (result && result.Columns) {
    for (let i = 0; i < result.Columns.Count; i++) {
      const column = result.Columns.getItem(i);
      schema.push([column.Name, column.Type ? column.Type.Name : ""]);
    }
  }
  return { errors, places, schema };
}

for (const line of require("fs").readFileSync(0, "utf8").split("\n")) {
  if (line) console.log(JSON.stringify(bind(JSON.parse(line))));
}

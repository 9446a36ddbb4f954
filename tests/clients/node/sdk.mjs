// Microsoft's npm SDKs, told only the endpoint: a program of the clients' own environment that prints what it saw.
// It is read from standard input, so that its imports are found where they are installed, in the current folder.

import { readFileSync } from "node:fs";

import { ComputeManagementClient } from "@azure/arm-compute";
import { HybridComputeManagementClient } from "@azure/arm-hybridcompute";
import { ResourceGraphClient } from "@azure/arm-resourcegraph";
import { ClientSecretCredential } from "@azure/identity";

const { SUBSCRIPTION, ENDPOINT, QUERY, SETTINGS } = process.env;
const credential = new ClientSecretCredential(
  process.env.AZURE_TENANT_ID, process.env.AZURE_CLIENT_ID, process.env.AZURE_CLIENT_SECRET,
  { authorityHost: ENDPOINT, disableInstanceDiscovery: true },
);
const options = { endpoint: ENDPOINT, credentials: { scopes: [`${ENDPOINT}/.default`] } };
// The older generation of SDKs names the scopes so.
const older = { endpoint: ENDPOINT, credentialScopes: [`${ENDPOINT}/.default`] };

const machines = new ComputeManagementClient(credential, SUBSCRIPTION, options).virtualMachines;
const graph = new ResourceGraphClient(credential, options);
const arc = new HybridComputeManagementClient(credential, SUBSCRIPTION, older).machines;

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

// The code of a refusal, or the whole error where it has none; empty where nothing was refused.
async function codeOf(call) {
  try {
    await call();
  } catch (error) {
    return error.code ?? String(error);
  }
  return "";
}

const update = (group, name, block = "linuxConfiguration", more = {}) =>
  machines.update(group, name, { osProfile: { [block]: { patchSettings: JSON.parse(SETTINGS) } } },
    { updateIntervalInMs: 200, ...more });

const before = await machines.get("rg-app", "api-01");
const seen = {
  version: Object.entries(JSON.parse(readFileSync("package.json", "utf8")).dependencies).map((one) => one.join(" ")).join(", "),
  listed: (await all(machines.listAll())).length,
  read: before.osProfile.linuxConfiguration.patchSettings.patchMode,
  power: (await machines.instanceView("rg-app", "api-01")).statuses.map((status) => status.code),
};
const after = await update("rg-app", "api-01", "linuxConfiguration", { ifMatch: before.etag });
seen.changed = after.osProfile.linuxConfiguration.patchSettings.patchMode;
seen.stale = await codeOf(() => update("rg-app", "api-01", "linuxConfiguration", { ifMatch: before.etag }));
seen.locked = await codeOf(() => update("rg-locked", "frozen-01", "windowsConfiguration"));
seen.missing = await codeOf(() => machines.get("rg-app", "nobody"));
seen.failed = await codeOf(() => update("rg-app", "api-03"));
seen.queried = (await graph.resources({ query: QUERY, subscriptions: [SUBSCRIPTION] })).data;
seen.arc = (await all(arc.listBySubscription())).map((one) => one.name).sort();
console.log(JSON.stringify(seen));

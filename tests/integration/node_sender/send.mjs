// Puts the events of standard input, one a line, on the stream ferrule:events with node's `redis` client.
// Arguments: the folder that the client is installed in, and the broker's URL.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, url] = process.argv.slice(2);
const { createClient } = createRequire(`${folder}/`)("redis");
const client = await createClient({ url }).connect();
for await (const line of createInterface({ input: process.stdin })) {
  await client.xAdd("ferrule:events", "*", { event: line });
}
await client.quit();

// Sends the messages of a JSON list on stdin with simple-hl7's own client, and prints what it read of each answer.
// Arguments: the folder of node_modules, the port.
const [folder, port] = process.argv.slice(2);
const hl7 = require(`${folder}/node_modules/simple-hl7`);
const messages = JSON.parse(require("fs").readFileSync(0, "utf8"));
const parser = new hl7.Parser({ segmentSeperator: "\r" });
const client = hl7.Server.createTcpClient({ host: "127.0.0.1", port: Number(port), keepalive: true });
const answers = [];

function next() {
  if (!messages.length) {
    console.log(JSON.stringify(answers));
    process.exit(0);
  }
  client.send(parser.parse(messages.shift()), (error, ack) => {
    if (error) throw error;
    const msa = ack.getSegment("MSA");
    answers.push([msa.getField(1), msa.getField(2)]);
    setImmediate(next);
  });
}

next();

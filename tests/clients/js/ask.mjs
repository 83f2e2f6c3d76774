// Asks flags with the real OpenFeature server client. Standard input: {"baseUrl", "key", "questions": [...]};
// a question is {"type", "flag", "default", "context"}. Standard output: the evaluation details of each.
import { readFileSync } from "node:fs";
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const { baseUrl, key, questions } = JSON.parse(readFileSync(0, "utf8"));
await OpenFeature.setProviderAndWait(
  new OFREPProvider({ baseUrl, headers: [["Authorization", `Bearer ${key}`]] }),
);
const client = OpenFeature.getClient();
const ask = {
  boolean: (q) => client.getBooleanDetails(q.flag, q.default, q.context),
  string: (q) => client.getStringDetails(q.flag, q.default, q.context),
  number: (q) => client.getNumberDetails(q.flag, q.default, q.context),
  object: (q) => client.getObjectDetails(q.flag, q.default, q.context),
};
const answers = [];
for (const question of questions) answers.push(await ask[question.type](question));
console.log(JSON.stringify(answers));

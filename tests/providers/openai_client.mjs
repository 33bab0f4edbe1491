// Uses a server with the npm package `openai`: node openai_client.mjs URL STEP; prints what it got as JSON.
import OpenAI from "openai";

const [baseURL, step] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "key", maxRetries: 30 });
const model = "assistant";
const PIXEL = "data:image/png;base64,iVBORw0KGgo=";

const user = (content) => [{ role: "user", content }];
const chat = (content, more, options) =>
  client.chat.completions.create({ model, messages: user(content), ...more }, options);
const weather = { type: "function", function: { name: "weather", parameters: { type: "object" } } };

// The tool loop: the model asks for the weather, and the client says what it is.
async function loop(outcome) {
  const asked = (await chat("weather", { tools: [weather] })).choices[0].message;
  const said = { role: "tool", tool_call_id: asked.tool_calls[0].id, content: outcome };
  const messages = [...user("weather"), asked, said];
  const done = await client.chat.completions.create({ model, messages, tools: [weather] });
  return done.choices[0].message.content;
}
const keyed = (key) => ({ headers: { "Idempotency-Key": key } });

async function calls() {
  const got = {};
  got.models = (await client.models.list()).data.map((one) => one.id);
  got.text = (await chat("Hi")).choices[0].message.content;
  const parts = [];
  for await (const chunk of await chat("Hi", { stream: true }))
    parts.push(chunk.choices[0].delta.content ?? "");
  got.streamed = parts.join("");
  got.tool = (await chat("look")).choices[0].message.content;
  const picture = { type: "image_url", image_url: { url: PIXEL } };
  got.image = (await chat([{ type: "text", text: "?" }, picture])).choices[0].message.content;
  got.loop = await loop("sunny");
  const schema = { name: "N", schema: { type: "object", properties: { n: { type: "integer" } } } };
  const parsed = await client.chat.completions.parse({
    model,
    messages: user('{"n": 5}'),
    response_format: { type: "json_schema", json_schema: schema },
  });
  got.json = JSON.parse(parsed.choices[0].message.content);
  got.error = await chat("Hi", { tools: [{ type: "web_search" }] }).catch((error) => [
    error.status,
    error.code,
    error.param,
  ]);
  const same = [await chat("Hi", {}, keyed("npm")), await chat("Hi", {}, keyed("npm"))];
  got.once = same[0].id === same[1].id;
  const first = await client.responses.create({ model, input: "One" });
  const second = await client.responses.create({ model, input: "Two", previous_response_id: first.id });
  got.responses = [
    first.output_text,
    second.output_text,
    (await client.responses.retrieve(second.id)).output_text,
  ];
  const types = [];
  for await (const event of await client.responses.create({ model, input: "look", stream: true }))
    types.push(event.type);
  got.events = types;
  return got;
}

// Two requests during which the server is killed: the first has the outcome of a tool, and is retried by the client; the
// second is resumed here.
async function survive() {
  const answer = loop("slow");
  let id, after;
  let text = "";
  const follow = async (stream) => {
    for await (const event of stream) {
      if (event.type === "response.created") id = event.response.id;
      if (event.type === "response.output_text.delta") text += event.delta;
      if (event.type === "response.completed") return (await client.responses.retrieve(id)).output_text;
      if (event.type === "error") return event.code;
      after = event.sequence_number;
    }
    throw new Error("the stream broke off");
  };
  let whole = await follow(await client.responses.create({ model, input: "slow", stream: true })).catch(
    () => null,
  );
  const broke = whole === null;
  while (whole === null)
    whole = await client.responses
      .retrieve(id, { stream: true, starting_after: after })
      .then(follow)
      .catch(() => null);
  return { answer: await answer, broke, text, whole };
}

console.log(JSON.stringify(await { calls, survive }[step]()));

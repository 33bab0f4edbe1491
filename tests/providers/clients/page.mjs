// Pages in Node, without a browser: the AI SDK's `Chat` as in useChat, and assistant-ui's runtime.
// Each line of input names a page and an action; the answer is what the page shows afterwards.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

async function packages({ client, home, hook }) {
  const resolve = createRequire(home + "/").resolve;
  const load = async (name) => {
    const found = await import(pathToFileURL(resolve(name)).href);
    return { ...found.default, ...found };
  };
  const sdk = await load("ai");
  const react = client === "assistant-ui" ? undefined : await load("@ai-sdk/react");
  if (hook)
    return { open: hookPage, sdk, react, ...(await load("react")), ...(await load("react-dom/server")) };
  if (react) return { open: chatPage, sdk, react };
  const [ui, store, tap, core] = ["react-ai-sdk", "store/client", "tap", "core"].map((name) =>
    load(`@assistant-ui/${name}`),
  );
  return { open: runtimePage, sdk, ui: await ui, store: await store, tap: await tap, core: await core };
}

const OPEN = ["input-streaming", "input-available", "approval-requested"];
const calls = (message) => (message?.parts ?? []).filter((part) => part.toolCallId);
const whenAnswered = (sdk) => (state) =>
  sdk.lastAssistantMessageIsCompleteWithToolCalls(state) ||
  sdk.lastAssistantMessageIsCompleteWithApprovalResponses?.(state) ||
  answered(state.messages.at(-1));
// Each helper handles only one kind of card; a page with both kinds waits until none is open.
const answered = (message) =>
  calls(message).some((part) => part.state === "approval-responded") &&
  !calls(message).some((part) => OPEN.includes(part.state));

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// In Chrome, a broken connection is a TypeError with this message, which the AI SDK checks.
function network() {
  const broken = new TypeError("network error");
  const open = new Set();
  const connections = { reads: 0, drop: () => open.forEach((lose) => lose(broken)) };
  connections.fetch = async (...request) => {
    const response = await fetch(...request);
    const reader = response.body?.getReader();
    if (!reader) return response;
    const lost = new Promise((_, lose) => open.add(lose));
    lost.catch(() => reader.cancel());
    const pull = async (body) => {
      const { done, value } = await Promise.race([reader.read(), lost]).catch((failure) => {
        throw failure.name === "AbortError" ? failure : broken;
      });
      connections.reads++;
      done ? body.close() : body.enqueue(value);
    };
    return new Response(new ReadableStream({ pull, cancel: (why) => reader.cancel(why) }), response);
  };
  return connections;
}

function chatPage({ id, api, headers, program }, { sdk, react }) {
  const { Chat } = react;
  const sendAutomaticallyWhen = whenAnswered(sdk);
  const connections = network();
  class Transport extends sdk.DefaultChatTransport {
    constructor(options) {
      super({ ...options, fetch: connections.fetch });
    }
  }
  const chat = program
    ? new Function("Chat", "DefaultChatTransport", "id", "api", `${program}\nreturn chat`)(
        Chat,
        Transport,
        id,
        api,
      )
    : new Chat({ id, transport: new Transport({ api, headers }), sendAutomaticallyWhen });
  const user = (index) => chat.messages.filter((message) => message.role === "user").at(index).id;
  return {
    isBusy: () => !["ready", "error"].includes(chat.status),
    show: () => ({ error: chat.error?.message, messages: chat.messages, reads: connections.reads }),
    drop: connections.drop,
    send: (message) => chat.sendMessage(message),
    edit: ({ index, ...message }) => chat.sendMessage({ ...message, messageId: user(index) }),
    cut: ({ keep, ...message }) => {
      chat.messages = chat.messages.slice(0, keep);
      return chat.sendMessage(message);
    },
    regenerate: (options) => chat.regenerate(options),
    approve: (part, answer) => chat.addToolApprovalResponse({ id: part.approval.id, ...answer }),
    answer: ({ type, toolCallId }, output, more) =>
      chat.addToolOutput({ tool: type.slice(5), toolCallId, output, ...more }),
    leave: () => chat.stop(),
    resume: () => chat.resumeStream(),
    load: (messages) => (chat.messages = messages),
  };
}

// useChat with its own `transport` option, rendered once: its functions keep using the chat that it has made.
function hookPage({ id, api, headers }, { sdk, react, createElement, renderToString }) {
  const connections = network();
  let error, hook;
  let running = 0;
  const Page = () => {
    const transport = new sdk.DefaultChatTransport({ api, headers, fetch: connections.fetch });
    hook = react.useChat({ id, transport, onError: (failure) => (error = failure.message) });
  };
  renderToString(createElement(Page));
  const run = async (request) => {
    error = undefined;
    running++;
    await request().finally(() => running--);
  };
  const messages = () => {
    let now;
    hook.setMessages((all) => (now = all));
    return now;
  };
  return {
    isBusy: () => running > 0,
    show: () => ({ error, messages: messages(), reads: connections.reads }),
    drop: connections.drop,
    send: (message) => run(() => hook.sendMessage(message)),
    resume: () => run(() => hook.resumeStream()),
  };
}

function runtimePage({ id, api, headers, messages }, { sdk, ui, store, tap, core }) {
  let error;
  const fetches = async (...request) => {
    const response = await fetch(...request);
    error = response.ok ? undefined : await response.clone().text();
    return response;
  };
  const transport = new ui.AssistantChatTransport({ api, headers, fetch: fetches });
  const onError = (failure) => (error = failure.message);
  const options = { id, transport, messages, sendAutomaticallyWhen: whenAnswered(sdk), onError };
  const config = store.AuiConfig({ threads: ui.AISDKChat(options) });
  const handle = store.createAssistantClient(config);
  handle.subscribe(() => {});
  const aui = handle.getClient();
  const shown = () => aui.thread.getState().messages;
  const user = (index) =>
    shown()
      .filter((message) => message.role === "user")
      .at(index).index;
  const write = (composer, { text }) => {
    tap.flushTapSync(() => composer.setText(text));
    tap.flushTapSync(() => composer.send());
  };
  const part = ({ toolCallId }) => aui.thread.message({ index: shown().length - 1 }).part({ toolCallId });
  return {
    isBusy: () => aui.thread.getState().isRunning,
    show: () => ({ error, messages: shown().flatMap((message) => core.getExternalStoreMessages(message)) }),
    send: (message) => write(aui.composer, message),
    edit: ({ index, ...message }) => {
      const composer = aui.thread.message({ index: user(index) }).composer();
      tap.flushTapSync(() => composer.beginEdit());
      write(composer, message);
    },
    regenerate: () => tap.flushTapSync(() => aui.thread.message({ index: shown().length - 1 }).reload()),
    approve: (call, { approved }) => part(call).respondToToolApproval({ approved }),
    answer: (call, output) => tap.flushTapSync(() => part(call).addToolResult(output)),
    leave: () => tap.flushTapSync(() => aui.thread.cancelRun()),
  };
}

const loaded = {};
const pages = {};

async function idle(page) {
  for (let quiet = 0; quiet < 2; quiet = page.isBusy() ? 0 : quiet + 1) await pause(15);
}

// Answers every open card, one after the other.
async function answerAll(page) {
  for (;;) {
    const part = calls(page.show().messages.at(-1)).find((one) => OPEN.includes(one.state));
    if (!part) return;
    if (part.state === "approval-requested") await page.approve(part, { approved: true });
    else await page.answer(part, "blue");
    await idle(page);
  }
}

const cards = (page) => calls(page.show().messages.at(-1)).filter((one) => OPEN.includes(one.state));
const isApproval = (part) => part.state === "approval-requested";
const yes = (page, part) =>
  isApproval(part) ? page.approve(part, { approved: true }) : page.answer(part, "blue");

// Other ways to answer the open cards.
const answers = {
  answerAll,
  answerBackwards: async (page) => {
    for (const part of cards(page).reverse()) await yes(page, part);
  },
  answerAtOnce: (page) => Promise.all(cards(page).map((part) => yes(page, part))),
  answerTwice: (page) => Promise.all(cards(page).flatMap((part) => [yes(page, part), yes(page, part)])),
  deny: async (page) => {
    for (const part of cards(page))
      await (isApproval(part) ? page.approve(part, { approved: false, reason: "No." }) : yes(page, part));
  },
  fail: async (page) => {
    for (const part of cards(page))
      await page.answer(part, undefined, { state: "output-error", errorText: "Broken." });
  },
};

async function act({ page: name, call, args = [], wait = true, ...options }) {
  const found = await (loaded[`${options.client} ${options.hook}`] ??= packages(options));
  const page = (pages[name] ??= found.open(options, found));
  if (answers[call]) await answers[call](page);
  else if (call !== "look") {
    const done = Promise.resolve(page[call](...args)).catch((failure) => (page.failure = failure));
    if (wait) await done;
  }
  if (wait) await idle(page);
  return { busy: page.isBusy(), ...page.show() };
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const said = (answer) => console.log(JSON.stringify({ number: asked.number, ...answer }));
  void act(asked).then(said, (failure) => said({ failure: String(failure?.stack ?? failure) }));
}

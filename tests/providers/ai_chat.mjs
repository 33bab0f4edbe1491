// A page's chat as in @ai-sdk/react: AbstractChat of the package `ai` with its own transport.
// Runs the command in each line of input and prints the chat's messages as one line of JSON.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [home, api] = process.argv.slice(2);
const found = createRequire(home + "/").resolve("ai");
const ai = await import(pathToFileURL(found).href);
const { AbstractChat, DefaultChatTransport } = ai.AbstractChat ? ai : ai.default;

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => {
    this.messages = [...this.messages, message];
  };
  popMessage = () => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index, message) => {
    this.messages = this.messages.with(index, message);
  };
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor(id, state) {
    super({
      id,
      state,
      transport: new DefaultChatTransport({ api }),
      sendAutomaticallyWhen: ({ messages }) => {
        const parts = messages.at(-1).parts.filter((part) => part.toolCallId);
        const open = ["input-available", "approval-requested"];
        return (
          parts.length > 0 &&
          messages.at(-1).parts.at(-1).type !== "text" &&
          !parts.some((part) => open.includes(part.state))
        );
      },
    });
    this.state = state;
  }
}

const chats = {};
const at = (name, id) => (chats[name] ??= new Chat(id, new State()));
const idle = async (chat) => {
  do await new Promise((done) => setTimeout(done, 50));
  while (!["ready", "error"].includes(chat.status));
};

for await (const line of createInterface({ input: process.stdin })) {
  const { chat: name, id, call, args = [], wait = true } = JSON.parse(line);
  const chat = at(name, id);
  if (call === "load") {
    chat.messages = (await (await fetch(`${api}/${id}`)).json()).messages;
  } else {
    const done = chat[call](...args);
    if (wait) await done;
  }
  if (wait) await idle(chat);
  console.log(JSON.stringify({ status: chat.status, error: chat.error?.message, messages: chat.messages }));
}

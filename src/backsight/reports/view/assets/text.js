"use strict";
/* Prompts and completions as people read them: plain text, chats, observations of numbers. */
const LONG_TEXT = 6000;

view.isChat = (prompt) =>
  Array.isArray(prompt) &&
  prompt.length > 0 &&
  prompt.every((each) => each && typeof each.content === "string" && typeof each.role === "string");

view.isNumbers = (prompt) =>
  typeof prompt === "number" ||
  (Array.isArray(prompt) && prompt.every((each) => typeof each === "number" || view.isNumbers(each)));

/** Return a prompt as one text, to search in and to compare. */
view.promptText = (prompt) => {
  if (typeof prompt === "string") return prompt;
  if (prompt === null || prompt === undefined) return "";
  if (view.isChat(prompt))
    return prompt.length === 1 ? prompt[0].content : prompt.map((each) => `${each.role}: ${each.content}`).join("\n");
  if (view.isNumbers(prompt))
    return Array.isArray(prompt)
      ? `[${prompt.map(view.promptText).join(", ")}]`
      : String(Number(prompt.toPrecision(4)));
  if (typeof prompt === "object" && "begun" in prompt)
    return `${view.promptText(prompt.prompt)} … (${view.count(prompt.begun.length, "token")} of the answer are given)`;
  return JSON.stringify(prompt);
};

/** Return what a person asked last, which is what is asked again in a question about an answer. */
view.lastAsked = (prompt) =>
  view.isChat(prompt) ? (prompt.findLast((each) => each.role === "user")?.content ?? "") : view.promptText(prompt);

/** Make an element of a text; of a long one its beginning, with a button for the rest. */
view.words = (text, className = "words") => {
  const made = view.el("p", { class: className, dir: "auto" });
  const all = () => view.fill(made, view.visible(text));
  if (text.length <= LONG_TEXT) return text ? all() : view.fill(made, view.el("span", { class: "missing" }, "(empty)"));
  const more = view.el(
    "button",
    { type: "button", on: { click: all } },
    `show all ${text.length.toLocaleString("en-US")} characters`,
  );
  return view.fill(made, view.visible(text.slice(0, LONG_TEXT)), "… ", more);
};

/** Make an element of one message, with who said it. */
view.message = (role, ...content) =>
  view.el(
    "div",
    { class: `message ${role === "model" ? "of-model" : "of-world"}` },
    view.el("span", { class: "role" }, role),
    ...content,
  );

/** Make an element of a prompt: the messages of a chat, or the text. */
view.prompt = (prompt) =>
  view.isChat(prompt)
    ? view.el(
        "div",
        {},
        prompt.map((each) => view.message(view.visible(each.role), view.words(each.content))),
      )
    : view.message("prompt", view.words(view.promptText(prompt)));

/** Return what a turn's prompt says beyond what was said in the turns before it. */
view.newsOf = (prompt, before, completion) => {
  if (before === undefined) return prompt;
  if (view.isChat(prompt) && view.isChat(before)) {
    const isSame = before.every(
      (each, at) => prompt[at] && prompt[at].role === each.role && prompt[at].content === each.content,
    );
    if (!isSame) return prompt;
    const rest = prompt.slice(before.length);
    return rest[0]?.role === "assistant" ? rest.slice(1) : rest;
  }
  if (typeof prompt === "string" && typeof before === "string") {
    const said = before + (completion ?? "");
    if (prompt.startsWith(said)) return prompt.slice(said.length);
    if (prompt.startsWith(before)) return prompt.slice(before.length);
  }
  return prompt;
};

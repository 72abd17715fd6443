"use strict";
// The page: a summary that is plain HTML, a filtered and paged list, and a replay of one episode.
// All text from models and files reaches the document through `shown`, as text nodes.

const $ = (id) => document.getElementById(id);
const PAGE = 50;
let index = null;
const chunks = new Map();
const view = { page: 0, rows: [], episode: null, step: 0, at: -1 };

async function unpack(id) {
  const packed = $(id).textContent.trim();
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function chunk(number) {
  if (!chunks.has(number)) {
    if (chunks.size > 8) chunks.delete(chunks.keys().next().value);
    chunks.set(number, unpack(`chunk-${number}`));
  }
  return chunks.get(number);
}

// ---- the list -------------------------------------------------------------------------------

const RESULT_NAMES = { w: "win", d: "draw", l: "loss" };

function seatsOf(i) {
  return index.seatings[index.episodes.seating[i]];
}

// Who sits there: the model, or the kind of player, and what tells it from others.
const whoAt = (i, seat) => index.labels[seatsOf(i)[seat]?.[0]] ?? "?";

function outcomeText(i) {
  const e = index.episodes;
  const status = index.statuses[e.status[i]];
  const results = e.results[i];
  if (status === "forfeit") return `${whoAt(i, e.forfeit[i])} forfeits (${index.causes[e.cause[i]] ?? "?"})`;
  if (status !== "completed") return status;
  const cut = e.cut[i] ? ", cut at limit" : "";
  const winner = results.indexOf("w");
  if (winner >= 0) return `${whoAt(i, winner)} wins${cut}`;
  return results.includes("d") ? `draw${cut}` : index.games[e.game[i]].short === "prompts" ? "answered" : `played${cut}`;
}

function matches(i, wanted) {
  const e = index.episodes;
  if (wanted.game >= 0 && e.game[i] !== wanted.game) return false;
  if (wanted.run >= 0 && e.run[i] !== wanted.run) return false;
  if (wanted.number !== null && e.number[i] !== wanted.number) return false;
  const seats = seatsOf(i);
  if (wanted.player >= 0 && !seats.some(([label]) => label === wanted.player)) return false;
  const status = index.statuses[e.status[i]];
  if (wanted.result in RESULT_NAMES) {
    const fits = [...e.results[i]].some((r, s) => r === wanted.result && (wanted.player < 0 || seats[s][0] === wanted.player));
    if (!fits) return false;
  } else if (wanted.result === "cut") {
    if (!e.cut[i]) return false;
  } else if (wanted.result && wanted.result !== status) return false;
  if (wanted.group >= 0 && e.group[i] !== wanted.group) return false;
  if (wanted.answers === "differ" && !e.differ[i]) return false;
  if (wanted.answers && wanted.answers !== "differ") {
    const marks = e.prompt[i] === null ? [] : [...e.marks[i]];
    if (!marks.some((m, s) => m === wanted.answers && (wanted.player < 0 || seats[s][0] === wanted.player))) return false;
  }
  if (wanted.judged !== "" && !judgedAs(i, Number(wanted.judged), wanted.player)) return false;
  if (wanted.failure === "none") return e.failures[i] === 0;
  if (wanted.failure === "any") return e.failures[i] !== 0;
  if (wanted.failure !== "") return (e.failures[i] & (1 << Number(wanted.failure))) !== 0;
  return true;
}

function filtered() {
  const number = $("f-number").value.trim();
  const wanted = {
    game: Number($("f-game").value), run: Number($("f-run").value), player: Number($("f-player").value),
    result: $("f-result").value, failure: $("f-failure").value, judged: $("f-judged").value,
    number: number === "" ? null : Number(number),
    answers: $("f-answers").value, group: Number($("f-group").value),
  };
  view.rows = [];
  for (let i = 0; i < index.episodes.number.length; i++) if (matches(i, wanted)) view.rows.push(i);
  view.page = 0;
  listed();
}

const link = (i) => `#/${index.episodes.run[i]}/${index.episodes.number[i]}`;

function failureNames(i) {
  return index.kinds.filter((_, k) => index.episodes.failures[i] & (1 << k));
}

function listed() {
  const e = index.episodes;
  const pages = Math.max(1, Math.ceil(view.rows.length / PAGE));
  view.page = Math.min(Math.max(0, view.page), pages - 1);
  const rows = view.rows.slice(view.page * PAGE, (view.page + 1) * PAGE).map((i) => {
    const status = index.statuses[e.status[i]];
    const kind = status === "completed" ? "" : " bad";
    return element(
      "tr",
      { on: { click: (event) => { if (!event.target.closest("a")) location.hash = link(i); } } },
      element("td", {}, element("a", { href: link(i) }, `${e.number[i]}`)),
      index.runs.length > 1 ? element("td", {}, named(index.runs[e.run[i]])) : null,
      element("td", {}, named(e.prompt[i] === null ? index.games[e.game[i]].name : `${index.games[e.game[i]].name}: ${e.name[i]}`)),
      element("td", {}, seatsOf(i).flatMap(([label], s) => [s ? (e.prompt[i] === null ? " v " : ", ") : "", markOf(i, s), element(e.results[i][s] === "w" ? "b" : "span", {}, named(index.labels[label]))])),
      element("td", {}, element("span", { class: `chip${kind}` }, named(outcomeText(i)))),
      element("td", { class: "number" }, known(e.turns[i])),
      element("td", {}, failureNames(i).join(", ")),
      element("td", { class: "number" }, seconds(e.duration[i]))
    );
  });
  $("episodes").tBodies[0].replaceChildren(...rows);
  $("count").textContent = `${view.rows.length.toLocaleString("en")} of ${e.number.length.toLocaleString("en")} episodes, page ${view.page + 1} of ${pages}`;
  $("previous-page").disabled = view.page === 0;
  $("next-page").disabled = view.page >= pages - 1;
}

function options(id, pairs) {
  $(id).append(...pairs.map(([value, name]) => element("option", { value }, name)));
  $(id).addEventListener("change", filtered);
}

// ---- the replay -----------------------------------------------------------------------------

// Steps: the start, every move, and decisions that ended in no move.
function stepsOf(episode) {
  const asked = new Map();
  for (const response of episode.responses) {
    const key = `${response.turn}/${response.seat}`;
    if (!asked.has(key)) asked.set(key, []);
    asked.get(key).push(response);
  }
  const steps = [{ moves: 0, move: null, responses: [] }];
  const judged = new Map(episode.decisions.map((d) => [`${d.turn}/${d.seat}`, d]));
  episode.moves.forEach((move, k) => {
    const key = `${move.turn}/${move.seat}`;
    steps.push({ moves: k + 1, move, responses: asked.get(key) || [], decision: judged.get(key) });
    asked.delete(key);
  });
  for (const [key, responses] of asked) {
    const chosen = responses.find((r) => r.outcome === "legal");
    const text = episode.moves.length === 0 && chosen ? chosen.action_text : null;
    steps.push({ moves: episode.moves.length, move: null, lone: text || (responses.some((r) => r.outcome === "answered") ? "answer" : "no move"), responses, decision: judged.get(key) });
  }
  return steps;
}

async function opened(run, number, step) {
  const e = index.episodes;
  const i = e.number.findIndex((n, k) => n === number && e.run[k] === run);
  $("list").hidden = $("summary").hidden = true;
  $("replay").hidden = false;
  marked("#episodes-top");
  if (i < 0) {
    $("replay").replaceChildren(element("p", {}, `There is no episode ${number} in run ${run}.`), element("a", { href: "#episodes-top" }, "Back to the list"));
    return;
  }
  if (view.at !== i) {
    const data = await chunk(e.chunk[i]);
    const raw = data.episodes[e.place[i]];
    const texts = data.texts;
    const episode = {
      ...raw,
      responses: raw.responses.map((r) => ({ ...r, messages: r.messages && r.messages.map(([role, t]) => [texts[role], texts[t]]) })),
    };
    view.at = i;
    view.episode = episode;
    view.steps = stepsOf(episode);
    if (!episode.asked) skeleton(i);
  }
  if (view.episode.asked) return sideBySide(i);
  view.step = Math.min(Math.max(0, step), view.steps.length - 1);
  stepped(i);
}

function skeleton(i) {
  const e = index.episodes;
  const seats = seatsOf(i);
  const place = view.rows.indexOf(i);
  const beside = (d) => (place >= 0 ? view.rows[place + d] : i + d);
  const neighbour = (d, text) => {
    const other = beside(d);
    const there = other !== undefined && other >= 0 && other < e.number.length;
    return element("button", { id: d < 0 ? "previous-episode" : "next-episode", disabled: !there, on: { click: () => (location.hash = link(other)) } }, text);
  };
  const seatLines = seats.map(([label, name], s) => {
    const result = RESULT_NAMES[e.results[i][s]];
    const returned = view.episode.returns ? `, return ${view.episode.returns[s]}` : "";
    return element(
      "div", {}, element("span", { class: `seat-mark s${s}` }), `seat ${s}: `, element("b", {}, index.labels[label]),
      ` as ${name}${returned} `, result ? element("span", { class: `chip ${result}` }, result) : null
    );
  });
  const moves = view.steps.slice(1).map((step, k) => {
    const by = step.move ? (step.move.seat < 0 ? "chance" : step.move.by) : step.lone === "no move" ? "substitute" : "";
    const mark = step.decision ? MOVE_MARKS[step.decision.mark] : null;
    const looks = { class: mark ? `${by} ${step.decision.mark}` : by, title: lossOf(step.decision) };
    return element("li", {}, element("button", { ...looks, on: { click: () => go(k + 1) } }, `${step.move ? step.move.text : step.lone}${mark ?? ""}`));
  });
  $("replay").replaceChildren(
    element(
      "p", {}, element("a", { href: "#episodes-top" }, "← all episodes"), "  ", neighbour(-1, "previous episode"), " ", neighbour(1, "next episode"),
      element("span", { class: "soft" }, "   keys: "), element("kbd", {}, "←"), " ", element("kbd", {}, "→"), element("span", { class: "soft" }, " move  "),
      element("kbd", {}, "["), " ", element("kbd", {}, "]"), element("span", { class: "soft" }, " episode  "), element("kbd", {}, "Esc"), element("span", { class: "soft" }, " list")
    ),
    element("h2", { id: "title", tabindex: "-1" }, `Episode ${e.number[i]} · ${index.games[e.game[i]].name} · ${outcomeText(i)}`),
    element("p", { class: "soft" }, `${index.runs[e.run[i]]}, seed ${e.seed[i]}, ${seconds(e.duration[i])}${view.episode.error ? `, error: ${view.episode.error}` : ""}`),
    element(
      "div", { class: "replay" },
      element(
        "div", { class: "left" },
        element("div", { class: "seats" }, ...seatLines),
        element("div", { class: "table-top", id: "board" }),
        element(
          "div", { class: "controls" },
          element("button", { id: "first", "aria-label": "to the start", on: { click: () => go(0) } }, "|◀"),
          element("button", { id: "back", "aria-label": "one move back", on: { click: () => go(view.step - 1) } }, "◀"),
          element("input", { id: "slider", type: "range", min: "0", max: String(view.steps.length - 1), "aria-label": "move", on: { input: (event) => go(Number(event.target.value)) } }),
          element("button", { id: "forward", "aria-label": "one move on", on: { click: () => go(view.step + 1) } }, "▶"),
          element("button", { id: "last", "aria-label": "to the end", on: { click: () => go(view.steps.length - 1) } }, "▶|")
        ),
        element("ol", { class: "moves", id: "moves" }, ...moves)
      ),
      element("div", { id: "detail", "aria-live": "polite" })
    )
  );
  $("title").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function go(step) {
  const i = view.at;
  const next = Math.min(Math.max(0, step), view.steps.length - 1);
  history.replaceState(null, "", next ? `${link(i)}/${next}` : link(i));
  view.step = next;
  stepped(i);
}

function lastPrompt() {
  for (let k = view.step; k >= 0; k--) {
    const messages = view.steps[k].responses.find((r) => r.messages && r.messages.length)?.messages;
    if (messages) return messages[messages.length - 1][1];
  }
  return null;
}

function stepped(i) {
  const step = view.steps[view.step];
  const game = index.games[index.episodes.game[i]];
  const moves = view.episode.moves.slice(0, step.moves);
  const drawing = drawBoard(game.short, game.parameters, moves);
  const prompt = drawing ? null : lastPrompt();
  $("board").replaceChildren(drawing || (prompt ? element("pre", {}, prompt) : element("p", { class: "soft" }, moves.map((m) => m.text).join(" ") || "no move yet")));
  $("slider").value = view.step;
  $("back").disabled = $("first").disabled = view.step === 0;
  $("forward").disabled = $("last").disabled = view.step === view.steps.length - 1;
  [...$("moves").querySelectorAll("button")].forEach((button, k) => {
    if (k + 1 === view.step) {
      button.setAttribute("aria-current", "step");
      $("moves").scrollTop = Math.max(0, button.offsetTop - $("moves").offsetTop - 90);
    } else button.removeAttribute("aria-current");
  });
  $("detail").replaceChildren(...detail(step, i));
}

function detail(step, i) {
  if (view.step === 0) return [element("h3", {}, "Start"), element("p", { class: "soft" }, `${view.steps.length - 1} steps. Step forward to see each decision with its prompt, answer and reasoning.`)];
  const seat = step.move ? step.move.seat : step.responses[0].seat;
  const who = seat < 0 ? "chance" : `${whoAt(i, seat)} (seat ${seat})`;
  const what = step.move ? step.move.text : step.lone;
  const heading = element("h3", {}, `Step ${view.step}: ${who}: `, element("code", {}, what));
  const nodes = [heading];
  if (step.move && step.move.by === "substitute") nodes.push(element("p", { class: "caveat" }, "This move was put in by the run after the player failed; the player did not choose it."));
  if (step.decision) nodes.push(judgement(step.decision, whoAt(i, seat)));
  if (!step.responses.length && seat >= 0) nodes.push(element("p", { class: "soft" }, "No model was asked for this move."));
  step.responses.forEach((response, k) => nodes.push(attempt(response, k, step.responses.length)));
  return nodes;
}

function attempt(response, k, n) {
  const bad = response.outcome === "legal" || response.outcome === "answered" ? "legal" : "bad";
  const figure = (name, value) => element("span", {}, `${name} `, element("b", {}, value));
  const tokens = (v) => (v === null || v === undefined ? "–" : v.toLocaleString("en"));
  const nodes = [
    element(
      "div", {}, n > 1 ? `attempt ${response.attempt + 1}${response.sample ? `, sample ${response.sample + 1}` : ""}  ` : "",
      element("span", { class: `chip ${bad}` }, response.outcome ?? `no answer: ${response.error?.kind ?? "outage"}`),
      response.action_text ? element("span", {}, "  ", element("code", {}, response.action_text)) : null
    ),
    element(
      "div", { class: "figures" },
      figure("model", response.served_model || response.model || "–"), figure("latency", seconds(response.latency_s)),
      figure("first token", seconds(response.ttft_s)), figure("queue", seconds(response.queue_s)),
      figure("tokens in", tokens(response.prompt_tokens)), figure("out", tokens(response.completion_tokens)),
      figure("reasoning", tokens(response.reasoning_tokens)), figure("cost", response.cost_usd === null ? "–" : `$${response.cost_usd.toFixed(6)}`),
      figure("finish", known(response.finish_reason)), figure("retries", known(response.retries)),
      response.from_cache ? figure("from the cache", "these are an earlier call's figures") : null
    ),
  ];
  if (response.error) nodes.push(element("p", { class: "caveat" }, `${response.error.kind ?? "error"}: ${response.error.message ?? ""}`));
  nodes.push(element("h3", {}, "Answer"), element("pre", { class: "answer" }, response.text ?? "none"));
  if (response.reasoning) nodes.push(element("details", { open: k === n - 1 }, element("summary", {}, "Reasoning"), element("pre", {}, response.reasoning)));
  if (response.messages) {
    const parts = response.messages.flatMap(([role, text]) => [element("p", { class: "role" }, role), element("pre", {}, text)]);
    nodes.push(element("details", {}, element("summary", {}, `Prompt (${response.messages.length} message${response.messages.length > 1 ? "s" : ""})`), ...parts));
  }
  return element("section", { class: "attempt" }, ...nodes);
}

// ---- routes, keys, theme --------------------------------------------------------------------

function marked(target) {
  for (const a of document.querySelectorAll("header nav a")) {
    if (a.getAttribute("href") === target) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
}

async function route() {
  const found = /^#\/(\d+)\/(\d+)(?:\/(\d+))?$/.exec(location.hash);
  if (found) return opened(Number(found[1]), Number(found[2]), Number(found[3] || 0));
  const episodes = location.hash === "#episodes-top";
  $("replay").hidden = true;
  $("list").hidden = !episodes;
  $("summary").hidden = episodes;
  marked(episodes ? "#episodes-top" : "#summary-top");
  const part = $(location.hash.slice(1));
  if (part && $("summary").contains(part)) part.scrollIntoView();
  else window.scrollTo(0, 0);
}

function keyed(event) {
  if ($("replay").hidden || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const act = {
    ArrowRight: () => go(view.step + 1), ArrowLeft: () => go(view.step - 1), Home: () => go(0),
    End: () => go(view.steps.length - 1), Escape: () => (location.hash = "#episodes-top"),
    "[": () => $("previous-episode").click(), "]": () => $("next-episode").click(),
  }[event.key];
  if (act && view.episode && (!view.episode.asked || /^[[\]]$|^Escape$/.test(event.key))) {
    act();
    event.preventDefault();
  }
}

function themed() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

async function start() {
  index = await unpack("index");
  const ordinary = (names) => names.map((name, k) => [k, name]);
  options("f-player", ordinary(index.labels));
  options("f-game", ordinary(index.games.map((game) => game.name)));
  options("f-run", ordinary(index.runs));
  options("f-failure", index.kinds.map((name, k) => [k, name]));
  options("f-result", []);
  options("f-judged", index.levels.map((name, k) => [k, k > 1 && k < index.levels.length - 1 ? `${name} or worse` : name]).slice(1));
  $("f-judged").parentElement.hidden = index.levels.length === 0;
  options("f-answers", []);
  options("f-group", ordinary(index.groups));
  $("f-answers").parentElement.hidden = !index.scored;
  $("f-group").parentElement.hidden = !index.groups.length;
  $("f-run").parentElement.hidden = $("run-column").hidden = index.runs.length < 2;
  if (index.runs.length < 2) $("run-column").remove();
  $("f-number").addEventListener("input", filtered);
  $("previous-page").addEventListener("click", () => { view.page--; listed(); });
  $("next-page").addEventListener("click", () => { view.page++; listed(); });
  $("theme").addEventListener("click", themed);
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", keyed);
  filtered();
  await route();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  $("fault").hidden = false;
  $("fault").textContent = `This page could not be opened: ${error.message}. It needs a browser from 2023 or later.`;
});

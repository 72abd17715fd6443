// Prompts with right answers: the question, what was expected, and everybody's answers beside each other.

const MARKS = { r: ["✓", "right", "win"], x: ["✗", "wrong", "loss"], p: ["◐", "partly right", "draw"], "-": ["·", "without a score", "draw"] };

// Answers from other episodes that are shown beside those of the one looked at.
const MOST_BESIDE = 12;

function markOf(i, s) {
  if (index.episodes.prompt[i] === null) return null;
  const [sign, name, chip] = MARKS[index.episodes.marks[i][s]];
  return element("span", { class: `mark-sign ${chip}`, title: name }, `${sign} `);
}

async function unpacked(i) {
  const e = index.episodes;
  const data = await chunk(e.chunk[i]);
  const raw = data.episodes[e.place[i]];
  return { ...raw, responses: raw.responses.map((r) => ({ ...r, messages: r.messages && r.messages.map(([role, t]) => [data.texts[role], data.texts[t]]) })) };
}

async function sideBySide(i) {
  const e = index.episodes;
  const asked = view.episode.asked;
  const same = e.number.map((_, k) => k).filter((k) => k !== i && e.prompt[k] === e.prompt[i]);
  const place = view.rows.indexOf(i);
  const neighbour = (d, text) => {
    const other = place >= 0 ? view.rows[place + d] : i + d;
    const there = other !== undefined && other >= 0 && other < e.number.length;
    return element("button", { id: d < 0 ? "previous-episode" : "next-episode", disabled: !there, on: { click: () => (location.hash = link(other)) } }, text);
  };
  const first = view.episode.responses.find((r) => r.turn === 0 && r.messages && r.messages.length);
  const question = first ? first.messages[first.messages.length - 1][1] : "";
  const columns = seatsOf(i).map((_, s) => answerColumn(i, s, view.episode));
  const beside = element("div", { class: "answers", id: "beside" });
  $("replay").replaceChildren(
    element(
      "p", {}, element("a", { href: "#episodes-top" }, "← all episodes"), "  ", neighbour(-1, "previous episode"), " ", neighbour(1, "next episode"),
      element("span", { class: "soft" }, "   keys: "), element("kbd", {}, "["), " ", element("kbd", {}, "]"), element("span", { class: "soft" }, " episode  "), element("kbd", {}, "Esc"), element("span", { class: "soft" }, " list")
    ),
    element("h2", { id: "title", tabindex: "-1" }, `Prompt ${asked.prompt} · episode ${e.number[i]}${asked.group === null ? "" : ` · ${asked.group}`}`),
    element("p", { class: "soft" }, `${index.runs[e.run[i]]}, seed ${e.seed[i]}${view.episode.error ? `, error: ${view.episode.error}` : ""}`),
    element("h3", {}, "Prompt"), element("pre", { id: "question" }, question),
    element("h3", {}, "Expected"), element("pre", { id: "expected" }, asked.expected ?? "no answer is given"),
    element("div", { class: "answers", id: "answers" }, ...columns),
    same.length ? element("h3", {}, `The same prompt elsewhere (${Math.min(same.length, MOST_BESIDE)} of ${same.length} episodes)`) : null,
    same.length ? beside : null
  );
  $("title").focus({ preventScroll: true });
  window.scrollTo(0, 0);
  for (const k of same.slice(0, MOST_BESIDE)) {
    const episode = await unpacked(k);
    if (view.at !== i) return;
    seatsOf(k).forEach((_, s) => beside.append(answerColumn(k, s, episode)));
  }
}

function answerColumn(i, s, episode) {
  const e = index.episodes;
  const [label, player] = seatsOf(i)[s];
  const [, name, chip] = MARKS[e.marks[i][s]];
  const mine = episode.responses.filter((r) => r.seat === s && r.turn === 0);
  const graded = episode.responses.filter((r) => r.seat === s && r.turn > 0);
  const read = episode.asked.answers[s];
  return element(
    "section", { class: "attempt" },
    element("h3", {}, index.labels[label]),
    element("p", { class: "soft" }, `${index.runs[e.run[i]]}, `, element("a", { href: link(i) }, `episode ${e.number[i]}`), `, as ${player}`),
    element("p", {}, element("span", { class: `chip ${chip}` }, name), read === null || read === undefined ? null : element("span", {}, "  read as ", element("code", {}, read))),
    ...mine.map((response, k) => attempt(response, k, mine.length)),
    ...graded.flatMap((response, k) => [element("h3", {}, `Judge: ${response.model ?? ""}`), attempt(response, k, graded.length)])
  );
}

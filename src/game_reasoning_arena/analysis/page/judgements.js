"use strict";
// What decisions were worth: marks on moves, the value bar, the figures beside a move, and the filter.

const MOVE_MARKS = { inaccuracy: "?!", mistake: "?", blunder: "??" };
const worth = (value) => `${value > 0 ? "+" : ""}${Number(value.toFixed(3))}`;

// Whether a seat (of the player, if one is chosen) decided as badly; for 0, whether all was optimal.
function judgedAs(i, level, player) {
  const worst = [...index.episodes.judged[i]].filter((w, s) => w !== "-" && (player < 0 || seatsOf(i)[s][0] === player)).map(Number);
  return level ? worst.some((w) => w >= level) : worst.length > 0 && worst.every((w) => w === 0);
}

function lossOf(decision) {
  if (!decision) return null;
  if (decision.optimal) return "optimal";
  return `${decision.mark ?? "not optimal"}: loses ${worth(decision.regret)}, best ${decision.best}`;
}

// A bar from the least to the greatest return: filled to the value of the move, marked at the best.
function valueBar(decision, who) {
  const [low, high] = decision.range ?? [-1, 1];
  const at = (value) => `${Math.round(1000 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))) / 10}%`;
  const label = `value to ${who} ${worth(decision.value_played)}, of the best move ${worth(decision.value_best)}, between ${worth(low)} and ${worth(high)}`;
  return element(
    "div", { class: "value-bar", role: "img", "aria-label": label },
    element("span", { class: "filled", style: `width:${at(decision.value_played)}` }),
    element("span", { class: "best", style: `left:${at(decision.value_best)}` })
  );
}

function judgement(decision, who) {
  const figure = (name, value) => element("span", {}, `${name} `, element("b", {}, value));
  const kind = decision.optimal ? "legal" : decision.mark ? "bad" : "draw";
  return element(
    "section", { class: "attempt judgement" },
    element("div", {}, element("span", { class: `chip ${kind}` }, decision.optimal ? "optimal" : decision.mark ?? "not optimal"), "  best: ", element("code", {}, decision.best)),
    valueBar(decision, who),
    element(
      "div", { class: "figures" },
      figure(`value to ${who}`, worth(decision.value_played)), figure("best", worth(decision.value_best)), figure("lost", worth(decision.regret)),
      decision.response_regret === null ? null : figure("lost to this opponent", worth(decision.response_regret)),
      decision.win_before === null ? null : figure("win %", `${decision.win_before.toFixed(1)} to ${decision.win_after.toFixed(1)}`),
      decision.accuracy === null ? null : figure("accuracy", `${decision.accuracy.toFixed(1)} %`),
      figure("legal moves", String(decision.legal)), figure("judged by", decision.evaluator)
    )
  );
}

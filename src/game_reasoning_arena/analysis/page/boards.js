"use strict";
// Boards and cards from the moves of an episode. A game here is {position, draw}: position(moves,
// parameters) gives what lies on the table after these moves, or null when a move is not
// understood, and then the page falls back to text. Cells are "." or one character; `last` lists
// the [row, column] cells of the last move.

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  for (const child of children) node.append(child);
  return node;
}

const grid = (rows, columns) => Array.from({ length: rows }, () => Array(columns).fill("."));
const played = (moves) => moves.filter((move) => move.seat >= 0);
const number = (parameters, name, otherwise) => Number(parameters[name] ?? otherwise);

function ticTacToe(moves) {
  const cells = grid(3, 3);
  let last = [];
  for (const move of played(moves)) {
    const found = /^([xo])\((\d),(\d)\)$/.exec(move.text);
    if (!found || !cells[found[2]] || cells[found[2]][found[3]] !== ".") return null;
    cells[found[2]][found[3]] = found[1];
    last = [[Number(found[2]), Number(found[3])]];
  }
  return { cells, last };
}

function connectFour(moves, parameters) {
  const rows = number(parameters, "rows", 6);
  const cells = grid(rows, number(parameters, "columns", 7));
  let last = [];
  for (const move of played(moves)) {
    const found = /^([xo])(\d+)$/.exec(move.text);
    if (!found) return null;
    const column = Number(found[2]);
    let row = rows - 1;
    while (row >= 0 && cells[row][column] !== ".") row--;
    if (row < 0 || cells[row][column] === undefined) return null;
    cells[row][column] = found[1];
    last = [[row, column]];
  }
  return { cells, last };
}

const cellNamed = (text) => [Number(text.slice(1)) - 1, text.charCodeAt(0) - 97];

function hexBoard(moves, parameters) {
  const size = number(parameters, "board_size", 11);
  const rows = number(parameters, "num_rows", size);
  const cells = grid(rows, number(parameters, "num_cols", size));
  let last = [];
  for (const move of played(moves)) {
    if (!/^[a-z]\d+$/.test(move.text)) return null;
    const [row, column] = cellNamed(move.text);
    if (!cells[row] || cells[row][column] !== ".") return null; // taken: a swap, not drawn here
    cells[row][column] = "xo"[move.seat];
    last = [[row, column]];
  }
  return { cells, last };
}

function othello(moves) {
  const cells = grid(8, 8);
  cells[3][3] = cells[4][4] = "o";
  cells[3][4] = cells[4][3] = "x";
  let last = [];
  for (const move of played(moves)) {
    if (move.text === "pass") continue;
    if (!/^[a-h][1-8]$/.test(move.text)) return null;
    const [row, column] = cellNamed(move.text);
    const mine = "xo"[move.seat];
    cells[row][column] = mine;
    last = [[row, column]];
    for (const [dr, dc] of CHESS_RAYS.Q) {
      const line = [];
      let [r, c] = [row + dr, column + dc];
      while (cells[r] && cells[r][c] !== undefined && cells[r][c] !== "." && cells[r][c] !== mine) {
        line.push([r, c]);
        [r, c] = [r + dr, c + dc];
      }
      if (cells[r] && cells[r][c] === mine) for (const [a, b] of line) cells[a][b] = mine;
    }
  }
  return { cells, last };
}

function breakthrough(moves, parameters) {
  const rows = number(parameters, "rows", 8);
  const columns = number(parameters, "columns", 8);
  const cells = grid(rows, columns);
  for (const row of [0, 1]) cells[row].fill("b");
  for (const row of [rows - 2, rows - 1]) cells[row].fill("w");
  let last = [];
  for (const move of played(moves)) {
    const found = /^([a-z])(\d+)([a-z])(\d+)\*?$/.exec(move.text);
    if (!found) return null;
    const from = [rows - Number(found[2]), found[1].charCodeAt(0) - 97];
    const to = [rows - Number(found[4]), found[3].charCodeAt(0) - 97];
    if (!cells[from[0]] || !cells[to[0]] || !"bw".includes(cells[from[0]][from[1]])) return null;
    cells[to[0]][to[1]] = cells[from[0]][from[1]];
    cells[from[0]][from[1]] = ".";
    last = [from, to];
  }
  return { cells, last };
}

function chessBoard(moves) {
  const position = chessPosition(played(moves));
  if (!position) return null;
  const cells = grid(8, 8).map((row, r) => row.map((_, c) => position.cells[8 * r + c]));
  return { cells, last: position.last.map((at) => [Math.floor(at / 8), at % 8]) };
}

// Poker: what each seat holds, what lies open, what is in the pot, who has folded.
function kuhnPoker(moves, parameters) {
  const seats = number(parameters, "players", 2);
  const state = { hands: Array(seats).fill(null), open: [], paid: Array(seats).fill(1), folded: [] };
  const names = seats === 2 ? ["J", "Q", "K"] : null;
  let bet = false;
  let dealt = 0;
  for (const move of moves) {
    if (move.seat < 0) {
      const found = /^Deal:(\d+)$/.exec(move.text);
      if (!found) return null;
      state.hands[dealt++] = names ? names[found[1]] : found[1];
    } else if (move.text === "Bet") {
      state.paid[move.seat] += 1;
      bet = true;
    } else if (move.text === "Pass") {
      if (bet) state.folded.push(move.seat);
    } else return null;
  }
  return state;
}

function leducPoker(moves, parameters) {
  const seats = number(parameters, "players", 2);
  if (parameters.suit_isomorphism && parameters.suit_isomorphism !== "False") return null;
  const state = { hands: Array(seats).fill(null), open: [], paid: Array(seats).fill(1), folded: [] };
  const names = seats === 2 ? ["J", "Q", "K"] : null;
  let dealt = 0;
  let stake = 1;
  for (const move of moves) {
    if (move.seat < 0) {
      const found = /^Chance outcome:(\d+)$/.exec(move.text);
      if (!found) return null;
      const rank = Math.floor(Number(found[1]) / 2);
      const card = (names ? names[rank] : String(rank + 1)) + "♠♥"[Number(found[1]) % 2];
      if (dealt < seats) state.hands[dealt++] = card;
      else state.open.push(card);
    } else if (move.text === "Fold") state.folded.push(move.seat);
    else if (move.text === "Call") state.paid[move.seat] = stake;
    else if (move.text === "Raise") {
      stake += state.open.length ? 4 : 2;
      state.paid[move.seat] = stake;
    } else return null;
  }
  return state;
}

const CELL = 48;
const EDGE = 26;

function frame(rows, columns, label, ...children) {
  const [w, h] = [columns * CELL + 2 * EDGE, rows * CELL + 2 * EDGE];
  return svg("svg", { viewBox: `0 ${EDGE - 6} ${w} ${h - EDGE + 6}`, class: "board", role: "img", "aria-label": label }, ...children);
}

function words(cells) {
  return "Board, from the top row: " + cells.map((row) => row.map((c) => (c === "." ? "empty" : c)).join(" ")).join("; ");
}

function coordinates(rows, columns, rowName, columnName) {
  const texts = [];
  for (let r = 0; r < rows; r++)
    texts.push(svg("text", { x: EDGE / 2, y: EDGE + (r + 0.5) * CELL, class: "coordinate" }, rowName(r)));
  for (let c = 0; c < columns; c++)
    texts.push(svg("text", { x: EDGE + (c + 0.5) * CELL, y: rows * CELL + EDGE * 1.55, class: "coordinate" }, columnName(c)));
  return texts;
}

const letter = (c) => String.fromCharCode(97 + c);

function squares(position, { chequered, rowName, columnName, piece, background }) {
  const { cells, last } = position;
  const [rows, columns] = [cells.length, cells[0].length];
  const nodes = coordinates(rows, columns, rowName, columnName);
  cells.forEach((row, r) =>
    row.forEach((value, c) => {
      const shade = chequered ? ((r + c) % 2 ? "square dark" : "square light") : "square";
      nodes.push(svg("rect", { x: EDGE + c * CELL, y: EDGE + r * CELL, width: CELL, height: CELL, class: `${shade} ${background || ""}` }));
      if (value !== ".") nodes.push(piece(value, EDGE + (c + 0.5) * CELL, EDGE + (r + 0.5) * CELL));
    })
  );
  for (const [r, c] of last)
    nodes.push(svg("rect", { x: EDGE + c * CELL + 2, y: EDGE + r * CELL + 2, width: CELL - 4, height: CELL - 4, rx: 3, class: "recent" }));
  return frame(rows, columns, words(cells), ...nodes);
}

function mark(value, x, y) {
  const reach = CELL * 0.28;
  if (value === "o") return svg("circle", { cx: x, cy: y, r: reach, class: "mark second" });
  const path = `M${x - reach} ${y - reach}L${x + reach} ${y + reach}M${x + reach} ${y - reach}L${x - reach} ${y + reach}`;
  return svg("path", { d: path, class: "mark first" });
}

const disc = (kinds) => (value, x, y) => svg("circle", { cx: x, cy: y, r: CELL * 0.38, class: `disc ${kinds[value]}` });

function chessPiece(value, x, y) {
  const shape = "♚♛♜♝♞♟"["kqrbnp".indexOf(value.toLowerCase())] + "\uFE0E";
  return svg("text", { x, y: y + 2, class: `piece ${chessIsWhite(value) ? "white" : "black"}` }, shape);
}

function drawHex(position) {
  const { cells, last } = position;
  const [rows, columns] = [cells.length, cells[0].length];
  const side = 22;
  const [wide, high] = [side * Math.sqrt(3), side * 1.5];
  const recent = new Set(last.map(String));
  const nodes = [];
  const corner = (x, y, k) => [x + side * Math.sin((k * Math.PI) / 3), y - side * Math.cos((k * Math.PI) / 3)];
  const [edges, rings] = [[], []];
  cells.forEach((row, r) =>
    row.forEach((value, c) => {
      const [x, y] = [40 + wide * (c + 0.5 + r / 2), 40 + high * r + side];
      const points = [0, 1, 2, 3, 4, 5].map((k) => corner(x, y, k));
      nodes.push(svg("polygon", { points: points.join(" "), class: "square" }));
      if (recent.has(String([r, c]))) rings.push(svg("circle", { cx: x, cy: y, r: side * 0.62, class: "recent" }));
      const edge = (a, b, kind) => edges.push(svg("line", { x1: points[a][0], y1: points[a][1], x2: points[b][0], y2: points[b][1], class: `side ${kind}` }));
      if (r === 0) edge(5, 0, "first"), edge(0, 1, "first");
      if (r === rows - 1) edge(2, 3, "first"), edge(3, 4, "first");
      if (c === 0) edge(4, 5, "second"), edge(3, 4, "second");
      if (c === columns - 1) edge(0, 1, "second"), edge(1, 2, "second");
      if (value !== ".") nodes.push(svg("circle", { cx: x, cy: y, r: side * 0.62, class: `disc ${value === "x" ? "first" : "second"}` }));
      if (r === 0) nodes.push(svg("text", { x: x - side / 2, y: 22, class: "coordinate" }, letter(c)));
      if (c === 0) nodes.push(svg("text", { x: x - wide * 0.85, y, class: "coordinate" }, String(r + 1)));
    })
  );
  const [w, h] = [80 + wide * (columns + rows / 2), 80 + high * rows];
  return svg("svg", { viewBox: `0 0 ${w} ${h}`, class: "board wide", role: "img", "aria-label": words(cells) }, ...nodes, ...edges, ...rings);
}

function card(text, x, y) {
  const red = text && text.includes("♥") ? " red" : "";
  const back = text === null ? " back" : "";
  return [
    svg("rect", { x, y, width: 56, height: 80, rx: 7, class: `card${back}` }),
    svg("text", { x: x + 28, y: y + 40, class: `card-name${red}` }, text === null ? "?" : text),
  ];
}

function drawCards(state, names) {
  const nodes = [];
  const wide = Math.max(2, state.hands.length) * 150;
  state.hands.forEach((hand, seat) => {
    const x = 40 + seat * 150;
    nodes.push(...card(hand, x, 30));
    const folded = state.folded.includes(seat) ? " · folded" : "";
    nodes.push(svg("text", { x: x + 28, y: 18, class: "coordinate" }, `seat ${seat}${folded}`));
    nodes.push(svg("text", { x: x + 28, y: 128, class: "coordinate" }, `in: ${state.paid[seat]}`));
  });
  state.open.forEach((open, i) => nodes.push(...card(open, 40 + i * 66, 160)));
  const pot = state.paid.reduce((a, b) => a + b, 0);
  nodes.push(svg("text", { x: 40 + Math.max(1, state.open.length) * 66 + 40, y: 200, class: "coordinate" }, `pot: ${pot}`));
  const label = `Cards: ${state.hands.map((h, i) => `seat ${i} holds ${h ?? "nothing yet"}`).join(", ")}; open: ${state.open.join(" ") || "none"}; pot ${pot}`;
  return svg("svg", { viewBox: `0 0 ${wide} 255`, class: "board cards", role: "img", "aria-label": label }, ...nodes);
}

const BOARDS = {
  tic_tac_toe: { position: ticTacToe, draw: (p) => squares(p, { rowName: String, columnName: String, piece: mark }) },
  connect_four: {
    position: connectFour,
    draw: (p) => squares(p, { rowName: () => "", columnName: String, piece: disc({ x: "first", o: "second" }) }),
  },
  hex: { position: hexBoard, draw: drawHex },
  othello: {
    position: othello,
    draw: (p) => squares(p, { background: "felt", rowName: (r) => String(r + 1), columnName: letter, piece: disc({ x: "black", o: "white" }) }),
  },
  breakthrough: {
    position: breakthrough,
    draw: (p) => squares(p, { chequered: true, rowName: (r) => String(p.cells.length - r), columnName: letter, piece: disc({ b: "black", w: "white" }) }),
  },
  chess: {
    position: chessBoard,
    draw: (p) => squares(p, { chequered: true, rowName: (r) => String(8 - r), columnName: letter, piece: chessPiece }),
  },
  kuhn_poker: { position: kuhnPoker, draw: drawCards },
  leduc_poker: { position: leducPoker, draw: drawCards },
};

// The drawing after these moves, or null when the game or a move is not known.
function drawBoard(game, parameters, moves) {
  const known = BOARDS[game];
  const position = known ? known.position(moves, parameters) : null;
  return position ? known.draw(position) : null;
}

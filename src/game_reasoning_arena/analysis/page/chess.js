"use strict";
// Chess positions from moves in SAN: enough of the rules to know which piece a move means.
// A position is {cells: 64 characters from a8 to h1, "." for empty, turn: "w" | "b", ep: index or -1}.

const CHESS_START = "rnbqkbnrpppppppp" + ".".repeat(32) + "PPPPPPPPRNBQKBNR";
const chessSquare = (name) => (8 - Number(name[1])) * 8 + (name.charCodeAt(0) - 97);
const chessIsWhite = (piece) => piece !== "." && piece === piece.toUpperCase();

const CHESS_RAYS = {
  R: [[1, 0], [-1, 0], [0, 1], [0, -1]],
  B: [[1, 1], [1, -1], [-1, 1], [-1, -1]],
  N: [[1, 2], [2, 1], [-1, 2], [-2, 1], [1, -2], [2, -1], [-1, -2], [-2, -1]],
};
CHESS_RAYS.Q = CHESS_RAYS.K = [...CHESS_RAYS.R, ...CHESS_RAYS.B];

// Whether a piece other than a pawn on `from` reaches `to` over empty squares.
function chessReaches(cells, from, to) {
  const kind = cells[from].toUpperCase();
  const far = kind === "R" || kind === "B" || kind === "Q";
  for (const [dr, dc] of CHESS_RAYS[kind] || []) {
    let row = Math.floor(from / 8) + dr;
    let column = (from % 8) + dc;
    while (row >= 0 && row < 8 && column >= 0 && column < 8) {
      const at = row * 8 + column;
      if (at === to) return true;
      if (!far || cells[at] !== ".") break;
      row += dr;
      column += dc;
    }
  }
  return false;
}

function chessPawnAttacks(cells, from, to) {
  const step = chessIsWhite(cells[from]) ? -1 : 1;
  return (
    Math.floor(to / 8) - Math.floor(from / 8) === step && Math.abs((to % 8) - (from % 8)) === 1
  );
}

function chessInCheck(cells, white) {
  const king = cells.indexOf(white ? "K" : "k");
  if (king < 0) return false;
  return cells.some(
    (piece, at) =>
      piece !== "." &&
      chessIsWhite(piece) !== white &&
      (piece.toUpperCase() === "P" ? chessPawnAttacks(cells, at, king) : chessReaches(cells, at, king))
  );
}

function chessPawnMoves(position, from, to) {
  const { cells, ep } = position;
  const step = chessIsWhite(cells[from]) ? -8 : 8;
  if (chessPawnAttacks(cells, from, to)) return cells[to] !== "." || to === ep;
  if (cells[to] !== "." || from % 8 !== to % 8) return false;
  if (to - from === step) return true;
  const home = step < 0 ? 6 : 1;
  return Math.floor(from / 8) === home && to - from === 2 * step && cells[from + step] === ".";
}

function chessMoved(position, from, to, promotion) {
  const cells = [...position.cells];
  const piece = cells[from];
  const pawn = piece.toUpperCase() === "P";
  if (pawn && to === position.ep && cells[to] === ".") cells[to + (position.turn === "w" ? 8 : -8)] = ".";
  cells[to] = promotion ? (position.turn === "w" ? promotion : promotion.toLowerCase()) : piece;
  cells[from] = ".";
  const ep = pawn && Math.abs(to - from) === 16 ? (from + to) / 2 : -1;
  return { cells, turn: position.turn === "w" ? "b" : "w", ep, last: [from, to] };
}

function chessCastled(position, short) {
  const home = position.turn === "w" ? 56 : 0;
  const moved = chessMoved(position, home + 4, home + (short ? 6 : 2), null);
  const [from, to] = short ? [home + 7, home + 5] : [home, home + 3];
  moved.cells[to] = moved.cells[from];
  moved.cells[from] = ".";
  return moved;
}

// The position after a move in SAN; null when it cannot be understood.
function chessPlay(position, san) {
  const plain = san.replace(/[+#!?]+$/, "").replace(/0/g, (z) => (san.startsWith("0-") ? "O" : z));
  if (plain === "O-O" || plain === "O-O-O") return chessCastled(position, plain === "O-O");
  const found = /^([KQRBN]?)([a-h]?)([1-8]?)x?([a-h][1-8])(?:=?([QRBN]))?$/.exec(plain);
  if (!found) return null;
  const [, letter, file, rank, target, promotion] = found;
  const white = position.turn === "w";
  const piece = white ? letter || "P" : (letter || "P").toLowerCase();
  const to = chessSquare(target);
  for (let from = 0; from < 64; from++) {
    if (position.cells[from] !== piece) continue;
    if (file && from % 8 !== file.charCodeAt(0) - 97) continue;
    if (rank && 8 - Math.floor(from / 8) !== Number(rank)) continue;
    const reaches = letter ? chessReaches(position.cells, from, to) : chessPawnMoves(position, from, to);
    if (!reaches) continue;
    const moved = chessMoved(position, from, to, promotion);
    if (!chessInCheck(moved.cells, white)) return moved;
  }
  return null;
}

function chessPosition(moves) {
  let position = { cells: [...CHESS_START], turn: "w", ep: -1, last: [] };
  for (const move of moves) {
    position = chessPlay(position, move.text);
    if (!position) return null;
  }
  return position;
}

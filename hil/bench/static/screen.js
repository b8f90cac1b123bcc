// A display as a grid of cells: Han and full-width characters take two cells, others one.

const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/;

export class CellScreen {
  constructor(element) {
    this.element = element;
    this.lines = [];
    this.columns = 0;
  }

  show({ size: [columns, rows], lines }) {
    if (columns !== this.columns || rows !== this.element.childElementCount) this.resize(columns, rows);
    lines.forEach((line, index) => {
      if (this.lines[index] === line) return;
      this.lines[index] = line;
      this.drawLine(this.element.children[index], line);
    });
  }

  resize(columns, rows) {
    this.columns = columns;
    this.lines = [];
    this.element.style.setProperty("--columns", columns);
    this.element.style.setProperty("--rows", rows);
    this.element.replaceChildren(...Array.from({ length: rows }, () => document.createElement("div")));
  }

  drawLine(row, line) {
    const cells = [];
    let used = 0;
    for (const character of line) {
      const isWide = WIDE.test(character);
      used += isWide ? 2 : 1;
      if (used > this.columns) break;
      const cell = document.createElement("span");
      if (isWide) cell.className = "wide";
      cell.textContent = character;
      cells.push(cell);
    }
    row.className = /^-{10,}$/.test(line.trim()) ? "rule" : "";
    row.replaceChildren(...cells);
  }
}

export const spokenText = (screen) => screen.lines.map((line) => line.replace(/-{4,}/g, "").trim()).filter(Boolean).join("\n");

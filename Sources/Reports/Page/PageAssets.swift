/// What a page looks like and how its tables move. Colours have a contrast of 4.5 and more on their grounds, light and dark.
enum PageAssets {
  static let style = """
    :root { --ground: #fff; --panel: #f5f6f8; --ink: #1b1f24; --quiet: #57606a; --line: #d0d7de; --link: #0550ae;
      --good: #116329; --doubtful: #7d4e00; --bad: #b3141d;
      --s0: #0b62b8; --s1: #b3541e; --s2: #1a7f37; --s3: #8250df; --s4: #a40e26; --s5: #046e78; --s6: #6e5a00; --s7: #57606a; }
    @media (prefers-color-scheme: dark) {
      :root { --ground: #0d1117; --panel: #161b22; --ink: #e6edf3; --quiet: #9da7b3; --line: #3d444d; --link: #79b8ff;
        --good: #56d364; --doubtful: #e3b341; --bad: #ff8a84;
        --s0: #6cb6ff; --s1: #f69d50; --s2: #57ab5a; --s3: #b89bff; --s4: #ff8a84; --s5: #39c5cf; --s6: #d4b106; --s7: #9da7b3; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--ground); color: var(--ink);
      font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
    h1 { font-size: 1.35rem; line-height: 1.3; margin: .2rem 0 .8rem; }
    h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
    p { margin: .4rem 0; }
    a { color: var(--link); }
    .tool { color: var(--quiet); margin: 0; }
    .skip { position: absolute; left: -100vw; }
    .skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .3rem .6rem; z-index: 2; }
    .verdict { border-left: .4rem solid var(--doubtful); background: var(--panel); padding: .6rem .8rem; font-size: 1.05rem; }
    .verdict strong { text-transform: uppercase; margin-right: .5rem; }
    .verdict.ok { border-color: var(--good); } .verdict.ok strong { color: var(--good); }
    .verdict.failed { border-color: var(--bad); } .verdict.failed strong { color: var(--bad); }
    .verdict.unchecked strong { color: var(--doubtful); }
    .conclusion { font-weight: 600; }
    .findings li.warning { color: var(--doubtful); font-weight: 600; }
    .scroll { overflow-x: auto; }
    :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
    caption { text-align: left; color: var(--quiet); padding: .3rem 0; }
    th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
      white-space: nowrap; }
    thead th { background: var(--panel); border-bottom: 2px solid var(--line); }
    th.n, td.n { text-align: right; }
    tbody th { font-weight: 600; }
    td.prose { white-space: normal; min-width: 20rem; }
    tbody tr:hover { background: var(--panel); }
    .good { color: var(--good); } .doubtful { color: var(--doubtful); } .bad { color: var(--bad); font-weight: 700; }
    .more { display: none; }
    .more-switch:checked ~ .scroll .more { display: table-cell; }
    thead button { all: unset; cursor: pointer; font-weight: 600; }
    thead button:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
    thead button::after { content: " \\2195"; color: var(--quiet); }
    th[aria-sort=ascending] button::after { content: " \\2191"; color: var(--ink); }
    th[aria-sort=descending] button::after { content: " \\2193"; color: var(--ink); }
    .filter { display: inline-block; margin: .3rem 1rem .3rem 0; }
    input[type=search] { font: inherit; padding: .2rem .4rem; color: var(--ink); background: var(--ground);
      border: 1px solid var(--quiet); border-radius: .25rem; }
    .count { color: var(--quiet); }
    details { margin: .4rem 0; } summary { cursor: pointer; color: var(--quiet); }
    dl { margin: .4rem 0; columns: 24rem auto; }
    dl div { break-inside: avoid; padding: .15rem 0; } dt { color: var(--quiet); } dd { margin: 0 0 0 1rem; }
    pre { background: var(--panel); padding: .6rem; overflow-x: auto; white-space: pre; font-size: .9rem; }
    figure { margin: 1rem 0; } figcaption { font-weight: 600; margin-bottom: .3rem; }
    svg { display: block; width: 100%; min-width: 34rem; max-width: 56rem; height: auto; font: 12px system-ui, sans-serif; }
    svg text { fill: var(--ink); } svg .quiet { fill: var(--quiet); } svg .grid { stroke: var(--line); }
    svg .axis { stroke: var(--quiet); }
    .f0 { fill: var(--s0); } .f1 { fill: var(--s1); } .f2 { fill: var(--s2); } .f3 { fill: var(--s3); }
    .f4 { fill: var(--s4); } .f5 { fill: var(--s5); } .f6 { fill: var(--s6); } .f7 { fill: var(--s7); }
    .l0 { stroke: var(--s0); } .l1 { stroke: var(--s1); } .l2 { stroke: var(--s2); } .l3 { stroke: var(--s3); }
    .l4 { stroke: var(--s4); } .l5 { stroke: var(--s5); } .l6 { stroke: var(--s6); } .l7 { stroke: var(--s7); }
    polyline { fill: none; stroke-width: 2; } .hollow { fill: var(--ground); stroke-width: 2; }
    @media print { .filter, .skip, .more-switch, .more-switch + label { display: none; } }

    """

  static let script = """
    "use strict";
    for (const table of document.querySelectorAll("table")) {
      const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
      const value = (row, i) => {
        const cell = row.cells[i], v = cell.dataset.v;
        return v === undefined ? cell.textContent : v === "inf" ? Infinity : v === "-inf" ? -Infinity : Number(v);
      };
      const order = (a, b) => {
        const x = typeof a === "number", y = typeof b === "number";
        return x && y ? (a < b ? -1 : a > b ? 1 : 0) : x ? -1 : y ? 1 : a.localeCompare(b);
      };
      heads.forEach((head, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener("click", () => {
          const down = head.getAttribute("aria-sort") === "ascending";
          heads.forEach(h => h.removeAttribute("aria-sort"));
          head.setAttribute("aria-sort", down ? "descending" : "ascending");
          const rows = [...body.rows];
          rows.sort((r, s) => order(value(r, i), value(s, i)) * (down ? -1 : 1));
          body.append(...rows);
        });
      });
    }
    for (const input of document.querySelectorAll("input[data-table]")) {
      const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
      const count = document.getElementById(input.dataset.table + "-count");
      input.addEventListener("input", () => {
        const words = input.value.toLowerCase().split(/\\s+/).filter(w => w);
        let shown = 0;
        for (const row of rows) {
          const text = row.textContent.toLowerCase();
          row.hidden = !words.every(w => text.includes(w));
          if (!row.hidden) shown++;
        }
        count.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
      });
    }

    """
}

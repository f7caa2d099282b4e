import { markup, NONE, type Markup } from './markup.ts';

/** The style of all pages, between `<style>` and its end: its hash is what lets it in. */
export const STYLE: string = `
:root{color-scheme:light dark;--ink:#1d232b;--quiet:#59636e;--paper:#f6f7f9;--card:#fff;--line:#d8dde3;--link:#0b5cad;--note:#8a3b00;--notebg:#fff4e8}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ee;--quiet:#9aa5b1;--paper:#14181d;--card:#1c2229;--line:#333c46;--link:#7ab8ff;--note:#ffbf85;--notebg:#33261a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main,nav,footer{max-width:52rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.05rem;margin:2rem 0 .75rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;font-weight:600;margin:0}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0;margin:.75rem 0}
a{color:var(--link)}
article{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.75rem 1rem;margin:0 0 .75rem;overflow-wrap:anywhere}
article:target{outline:3px solid var(--link)}
article p{margin:.35rem 0}
.text{white-space:pre-wrap}
.does,time,.quiet,.where,.seq,footer{color:var(--quiet);font-weight:400}
time,.where,.seq,footer,.history{font-size:.875rem}
time{float:right;padding-left:1rem}
.seq{text-align:right}
.notice{color:var(--note);background:var(--notebg);border-radius:.3rem;padding:.15rem .5rem}
.history{margin-top:.5rem;border-top:1px dashed var(--line);padding-top:.4rem}
.history ol{margin:.25rem 0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-top:1px solid var(--line)}
.fields{margin:.35rem 0}
.fields th{width:11rem;font-weight:500;color:var(--quiet)}
.fields tr:first-child>*{border-top:0}
caption{text-align:left;color:var(--quiet);padding:.3rem 0}
.attachment::before{content:"\\2193\\00A0"}
ul,ol{padding-left:1.25rem;margin:.25rem 0}
code{font:.875em ui-monospace,monospace}
footer{padding:1rem;border-top:1px solid var(--line);margin-top:2rem}
@media (max-width:40rem){time{float:none;display:block;padding:0}.fields th{width:7rem}}
@media print{:root{--ink:#000;--quiet:#333;--paper:#fff;--card:#fff;--line:#999;--link:#000;--note:#000;--notebg:#fff}body{font-size:10pt}nav{display:none}article{break-inside:avoid;border-radius:0}header,main,footer{max-width:none;padding:0}}
`;

/** SHA-256 of `STYLE` in base64. A test holds it equal. */
export const STYLE_SHA256 = 'f9Oeim2OJFiFfoBmG+yaZFUSv3Yv/Tcgg1+XORlCt/0=';

const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_SHA256}'; base-uri 'none'; form-action 'none'`;

const ENTRIES_FOOTER = markup`All times are UTC, by the clocks of those who wrote. Entries stand in the order of the log, whatever their times. This page is in the clear: whoever has it can read it.`;

/** What is on a page. */
interface Framed {
  readonly lead?: Markup;
  readonly nav?: Markup;
  readonly main: Markup;
  readonly footer?: Markup;
}

/** A whole page, which runs nothing and loads nothing. */
export function frame(
  title: string,
  { lead = NONE, nav = NONE, main, footer = ENTRIES_FOOTER }: Framed,
): Markup {
  const links = (label: string): Markup =>
    nav === NONE ? NONE : markup`<nav aria-label="${label}"><ul>${nav}</ul></nav>\n`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${{ safe: STYLE }}</style>
</head>
<body>
<header><h1>${title}</h1>${lead}</header>
${links('Pages')}<main>
${main}
</main>
${links('Pages, again')}<footer>${footer}</footer>
</body>
</html>
`;
}

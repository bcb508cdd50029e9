"""The style sheet, and the content security policy that allows it alone."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--ink:#1c2024;--soft:#5d656d;
--line:#e3e5e7;--reference:#c3c8cd;--now:#0b62ad;--over:#b93a0b;--over-ground:#fdf0ea}
@media(prefers-color-scheme:dark){:root{--ground:#111417;--card:#181c20;--ink:#e8eaec;
--soft:#a0a8b0;--line:#2b3137;--reference:#4c555e;--now:#62b0f5;--over:#ff9a6b;
--over-ground:#2c1d16}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1.5rem 3rem;background:var(--ground);
color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
font-variant-numeric:tabular-nums}
a{color:inherit;text-decoration-color:var(--reference);text-underline-offset:.2em}
a:hover,a:focus-visible{text-decoration-color:currentColor}
:focus-visible{outline:2px solid var(--now);outline-offset:2px;border-radius:2px}
h1,h2,h3,p,dl,dd,ul,ol{margin:0;padding:0}
h1{font-size:1.9rem;line-height:1.2;letter-spacing:-.015em;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.2rem;font-weight:650;line-height:1.3;overflow-wrap:anywhere}
h3{font-size:.95rem;font-weight:600;margin:1.5rem 0 .5rem;overflow-wrap:anywhere}
.soft,small{color:var(--soft);font-size:.85rem}
.over-text{color:var(--over);font-weight:600}
header,.bar{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;align-items:baseline;
justify-content:space-between}
header{margin-bottom:1.75rem;color:var(--soft);font-size:.85rem}
header strong{color:var(--ink);font-weight:600}
nav ol,nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem .5rem}
nav.path li+li::before{content:"/";margin-right:.5rem;color:var(--soft)}
nav.windows a,nav.windows b{display:block;padding:.15rem .6rem;border:1px solid var(--line);
border-radius:1rem;text-decoration:none;font-weight:400;color:var(--soft);font-size:.85rem}
nav.windows b{color:var(--ink);border-color:currentColor;font-weight:600}
.verdict{margin:0 0 1.75rem}
.verdict p{margin-top:.35rem;color:var(--soft);max-width:46rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;
padding:1.25rem;margin:0 0 1.25rem}
section.firing{border-color:var(--over);background:var(--over-ground)}
section>.bar{margin-bottom:.25rem}
dl.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:1rem;
margin:1rem 0 .5rem}
dl.tiles dt{color:var(--soft);font-size:.8rem}
dl.tiles dd{font-size:1.25rem;font-weight:600;letter-spacing:-.01em;line-height:1.35}
dl.tiles dd small{font-weight:400;letter-spacing:0}
table{border-collapse:collapse;width:100%;margin-top:.5rem}
caption{text-align:left;color:var(--soft);font-size:.85rem;padding:.75rem 0 .15rem}
caption b{color:var(--ink);font-size:.95rem;font-weight:600;margin-right:.35rem}
th,td{padding:.4rem .5rem;text-align:left;vertical-align:middle;font-weight:400}
th:first-child,td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:.8rem;border-bottom:1px solid var(--line);
vertical-align:bottom;white-space:nowrap}
tbody tr+tr>*{border-top:1px solid var(--line)}
.n{text-align:right;white-space:nowrap}
.cut{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
table.ranked{table-layout:fixed}
table.ranked col.score{width:6.5rem}table.ranked col.number{width:5.5rem}
table.ranked col.picture{width:9.25rem}
table.firing{table-layout:fixed}
table.firing th:first-child{width:32%}
tr.over .value{color:var(--over);font-weight:650}
.mark{color:var(--over);font-size:.8em}
svg{display:block;max-width:100%;overflow:visible}
svg path{fill:none}
svg .reference{fill:var(--reference)}
svg .now{fill:var(--now)}
svg .line{fill:none;stroke:var(--now);stroke-width:1.5;stroke-linejoin:round}
svg .limit{stroke:var(--soft);stroke-dasharray:3 3}
svg .ground{stroke:var(--line)}
svg .dot{fill:none;stroke:var(--now);stroke-width:5;stroke-linecap:round}
svg .over{stroke:var(--over)}
svg .alarm{fill:var(--over)}
svg.days{width:100%;height:1rem;overflow:hidden}
table.timeline{table-layout:fixed}
table.timeline th:first-child{width:22%}table.timeline td.wide,table.timeline th.wide{width:6rem}
svg text{fill:var(--soft);font-size:12px}
svg.chart{width:100%;height:auto}
svg.pair{width:100%;height:1rem;overflow:hidden}
svg.key{display:inline-block;vertical-align:-.1em;margin:0 .35rem 0 0}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;color:var(--soft);font-size:.8rem}
.below{margin-top:.85rem}
.below p{font-size:.9rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));
gap:0 2rem}
.grid>*{min-width:0}
table.bins{table-layout:fixed}
table.bins col.number{width:5.5rem}table.bins col.drawn{width:48%}
table.quality,table.segments,table.rates,table.kpis{table-layout:fixed}
table.quality th:first-child,table.segments th:first-child{width:34%}
table.rates th.rate{white-space:normal}
thead small{font-size:inherit}
table.quality+p{margin-top:.35rem;max-width:46rem}
.limit-value{display:block;line-height:1.2}
h3 small{font-weight:400;margin-left:.5rem}
.file section{content-visibility:auto;contain-intrinsic-size:auto 60rem}
section.column h2:not(:first-child){font-size:1rem;margin-top:1.75rem}
ul.faults{list-style:none}
ul.faults li{padding:.3rem 0;overflow-wrap:anywhere}
section.help p{white-space:pre-line;margin-top:.75rem;max-width:46rem;overflow-wrap:anywhere}
section.help h2{margin-top:1.5rem}
section.help pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;margin:.75rem 0 0}
footer{color:var(--soft);font-size:.8rem;margin-top:2rem}
footer p{margin-bottom:.35rem;max-width:56rem}
@media(max-width:760px){
body{padding:1rem .75rem 2rem}
section{padding:1rem .85rem}
h1{font-size:1.25rem}
.wide,section[id]~section[id] .legend{display:none}
dl.tiles{grid-template-columns:repeat(3,1fr);gap:.75rem}dl.tiles dd{font-size:1.1rem}
table.ranked,table.ranked tbody,table.ranked caption{display:block}
table.ranked thead,table.ranked colgroup,table.ranked tr.more{display:none}
table.ranked tr{display:grid;grid-template-columns:repeat(4,1fr);gap:.15rem .75rem;
padding:.6rem 0}
table.ranked tr+tr{border-top:1px solid var(--line)}
table.ranked tbody tr>*{border:0;padding:0;text-align:left}
table.ranked tbody th{grid-column:1/-1}
table.ranked td.score,table.ranked td.drawn{grid-column:span 2}
table.ranked td.n{text-align:right}
table.ranked td.limit::before{content:"of "}
table.ranked td.limit{color:var(--soft)}
table.ranked td.drawn svg{width:100%}
table.bins col.number{width:3.9rem}table.bins col.drawn{width:4.5rem}
table.bins th,table.bins td{font-size:.85rem}
table.firing th:first-child{width:34%}
th,td{padding:.4rem .3rem}table.firing th,table.firing td{font-size:.9rem}
table.firing .n{overflow-wrap:normal}
svg.chart text{font-size:16px}
table.quality th:first-child{width:25%}table.versions small{white-space:normal}
table.quality th,table.quality td,table.segments td{padding:.4rem .15rem;font-size:.8rem}
table.quality small,table.segments small{font-size:.72rem}
table.rates th{font-size:.75rem}
section{overflow-wrap:anywhere}
}
@media print{body{max-width:none;padding:0;background:#fff}section{break-inside:avoid-page}
nav.windows,.live{display:none}}
""".strip()

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
DOCUMENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
)
"""The policy that a file carries."""
POLICY = f"{DOCUMENT_POLICY}; frame-ancestors 'none'"

// Bundles src/ into ../src/semcorr/report/viewer/viewer.js: one classic script (ES modules do not
// load over file://). The banner carries a digest of the sources, which a Python test recomputes, so
// that an edited source with a stale bundle is noticed on machines without node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync, copyFileSync } from "node:fs";
import { build } from "esbuild";

const out = "../src/semcorr/report/viewer";
const digest = createHash("sha256");
for (const name of readdirSync("src").sort()) {
  digest.update(`${name}\0`).update(readFileSync(`src/${name}`)).update("\0");
}

const result = await build({
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "ascii",
  legalComments: "inline",
  banner: {
    js:
      "/* semcorr pair viewer, Apache-2.0; contains three.js, MIT, see LICENSE-three.txt\n" +
      ` * sources sha256 ${digest.digest("hex")} */`,
  },
  write: false,
});
// "</script" and "<!--" would end or confuse the inline script element of the page.
const text = result.outputFiles[0].text.replace(/<\/script/gi, "<\\/script").replace(/<!--/g, "\\x3C!--");
writeFileSync(`${out}/viewer.js`, text);
copyFileSync("node_modules/three/LICENSE", `${out}/LICENSE-three.txt`);
console.log(`viewer.js: ${text.length} bytes`);

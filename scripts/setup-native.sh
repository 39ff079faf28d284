#!/usr/bin/env bash
# Sets up the native part of @tensorflow/tfjs-node, on which `dcomp train` runs fast, where its ordinary installer cannot
# reach its download server. The TensorFlow library and its C headers are taken from the Python wheel `tensorflow-cpu`,
# the binding is compiled against the headers of the Node that runs. Does nothing where the native part already loads.
#
# Needs: Linux on x86-64, python3 with pip, make, a C++ compiler. Takes about half a minute and 650 MB of disk.
# Environment: PYTHON (python3), NODE_HEADERS (folder with node_api.h; default: beside the node that runs),
#              DCOMP_NATIVE_CACHE (default: ~/.cache/dcomp-native), where the library stays for the next `npm ci`.
set -euo pipefail
cd "$(dirname "$0")/.."

TFJS=4.22.0
# The newest TensorFlow with which the binding of TFJS compiles unchanged.
TENSORFLOW=2.18.1
PYTHON=${PYTHON:-python3}
CACHE=${DCOMP_NATIVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dcomp-native}/tensorflow-$TENSORFLOW
PACKAGE=$PWD/node_modules/@tensorflow/tfjs-node

say() { echo "setup-native: $*"; }
fail() { echo "setup-native: $*" >&2; exit 1; }

# Loads it and multiplies two matrices: a library that loads but cannot compute is no use.
works() {
  TF_CPP_MIN_LOG_LEVEL=2 node -e '
    const util = require("node:util");
    util.isNullOrUndefined ??= (x) => x === null || x === undefined; // gone in Node 23, still used by tfjs-node
    const tf = require("@tensorflow/tfjs-node");
    const [[y]] = tf.matMul(tf.ones([1, 3]), tf.ones([3, 1])).arraySync();
    if (tf.getBackend() !== "tensorflow" || y !== 3) throw new Error(`backend ${tf.getBackend()} computes ${y}`);
  '
}

if works >/dev/null 2>&1; then
  say "the native part is already there"
  exit 0
fi
[ "$(uname -sm)" = "Linux x86_64" ] || fail "only Linux on x86-64 is known here; try: npm install --no-save @tensorflow/tfjs-node@$TFJS"
for tool in "$PYTHON" make c++; do
  command -v "$tool" >/dev/null || fail "$tool is missing"
done

# 1. The JavaScript part. Its install script would only fail at the download; --no-save keeps it out of package.json.
if [ "$(node -p "require('$PACKAGE/package.json').version" 2>/dev/null)" != "$TFJS" ]; then
  say "installing @tensorflow/tfjs-node@$TFJS"
  # In a folder of its own: here npm takes an optional peer dependency for satisfied without installing it.
  fresh=$(mktemp -d)
  npm install --prefix "$fresh" --ignore-scripts --no-audit --no-fund --loglevel=error "@tensorflow/tfjs-node@$TFJS"
  # What is there already stays: it is of the lock file's versions.
  node -e 'require("node:fs").cpSync(process.argv[1], "node_modules", { recursive: true, force: false })' "$fresh/node_modules"
  rm -rf "$fresh"
  [ -d "$PACKAGE" ] || fail "@tensorflow/tfjs-node@$TFJS did not install"
fi

# 2. Library and headers, laid out as the binding expects them. Put in place by one rename: never half there.
if [ ! -d "$CACHE" ]; then
  say "fetching TensorFlow $TENSORFLOW"
  mkdir -p "$(dirname "$CACHE")"
  work=$(mktemp -d "$(dirname "$CACHE")/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # Any one Python version's wheel will do, as only the C library in it is used.
  "$PYTHON" -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
    --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 --dest "$work" "tensorflow-cpu==$TENSORFLOW"
  "$PYTHON" - "$work" <<'PYTHON'
import pathlib, re, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
# The C interface and the string type that it exposes, wherever the release keeps it.
header = re.compile(r'tensorflow/(include/(?:tensorflow/c|tsl/c|xla/tsl/c)/.*\.h|include/.*/platform/ctstring\w*\.h)')
library = re.compile(r'tensorflow/(libtensorflow_(?:cc|framework)\.so\.2)')
with zipfile.ZipFile(next(work.glob('*.whl'))) as wheel:
    for name in wheel.namelist():
        if match := header.fullmatch(name):
            target = work / 'deps' / match[1]
        elif match := library.fullmatch(name):
            target = work / 'deps' / 'lib' / match[1]
        else:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with wheel.open(name) as source, open(target, 'wb') as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
PYTHON
  # The linker looks for these names; the loader then for the ones that the libraries call themselves.
  ln -s libtensorflow_cc.so.2 "$work/deps/lib/libtensorflow.so"
  ln -s libtensorflow_framework.so.2 "$work/deps/lib/libtensorflow_framework.so"
  mv -T "$work/deps" "$CACHE"
fi
rm -rf "$PACKAGE/deps" "$PACKAGE/build" "$PACKAGE/lib"
ln -s "$CACHE" "$PACKAGE/deps"

# 3. The binding, with the node-gyp that npm brings along.
napi=$(node -p 'Math.min(8, process.versions.napi)')
module=$PACKAGE/lib/napi-v$napi
headers=${NODE_HEADERS:-$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")/include/node}
[ -f "$headers/node_api.h" ] || fail "no node_api.h in $headers; set NODE_HEADERS"
npm_folder=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
node_gyp=$npm_folder/node_modules/node-gyp/bin/node-gyp.js
[ -f "$node_gyp" ] || fail "npm in $npm_folder has no node-gyp"
say "compiling the binding"
log=$PACKAGE/native-build.log
(cd "$PACKAGE" && node "$node_gyp" rebuild --release --nodedir="${headers%/include/node}" --module_name=tfjs_binding \
  --module="$module/tfjs_binding.node" --module_path="$module" --napi_build_version="$napi" \
  --napi_version="$(node -p process.versions.napi)" >"$log" 2>&1) || { tail -n 40 "$log" >&2; fail "the binding does not compile (see $log)"; }
rm -rf "$PACKAGE/build"

works || fail "the native part does not load"
say "done: @tensorflow/tfjs-node $TFJS on TensorFlow $TENSORFLOW"

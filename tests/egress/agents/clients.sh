# Unmodified clients, one after the other. Each prints a line: name|exit code|what it said.
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
PATH=$PATH:/usr/lib/postgresql/15/bin
export CURL_CA_BUNDLE=/workspace/ca.pem SSL_CERT_FILE=/workspace/ca.pem
export GIT_SSL_CAINFO=/workspace/ca.pem NODE_EXTRA_CA_CERTS=/workspace/ca.pem GIT_TERMINAL_PROMPT=0

try() {
  name=$1
  shift
  said=$("$@" 2>&1 < /dev/null)
  code=$?
  printf '%s|%s|%s\n' "$name" "$code" "$(printf %s "$said" | tr '\n' ' ' | cut -c 1-300)"
}

get() { curl --silent --show-error --max-time 20 "$@"; }
through_proxy() { get --proxy http://127.0.0.1:3128 "$@"; }
clone() { git clone --quiet https://web.aegis.test/files/repo.git /tmp/repo && cat /tmp/repo/greeting.txt; }
query() { psql "host=db.aegis.test user=world dbname=postgres sslmode=disable" --tuples-only --no-align --command "select 6 * 7"; }
fetch_node() { node --input-type=module -e "console.log(await (await fetch('https://web.aegis.test/hello')).text())"; }
fetch_python() { /usr/bin/python3 -c "import urllib.request; print(urllib.request.urlopen('https://web.aegis.test/hello').read().decode())"; }
shake() { openssl s_client -connect web.aegis.test:443 -servername web.aegis.test -brief -verify_return_error; }

try curl get https://web.aegis.test/hello
try curl-plain get http://web.aegis.test/hello
try wildcard get https://sub.wild.test/hello
try wildcard-deep get https://deep.sub.wild.test/hello
try git clone
try psql query
try redis redis-cli -h cache.aegis.test ping
try node fetch_node
try python fetch_python
try openssl shake
try ssh ssh-keyscan -T 20 -t ed25519 shell.aegis.test
try through-proxy through_proxy https://web.aegis.test/hello

try other-name get https://evil.test/hello
try like-suffix get https://evilwild.test/hello
try bare-suffix get https://wild.test/hello
try other-port get http://db.aegis.test/
try closed-port get http://web.aegis.test:8080/
try address get http://203.0.113.7/
try address6 get 'http://[2001:db8::7]/'
try proxy-name through_proxy https://evil.test/hello
try proxy-plain through_proxy http://evil.test/hello
try proxy-address through_proxy http://203.0.113.7/

/**
 * A commented config to start from; it parses as it is. With `examples` it also shows providers
 * and every setting, each with its default.
 */
export const generateNodeConfig = ({ examples }: { readonly examples: boolean }): string =>
  examples ? start + exampleProviders + exampleSettings : start + ownProvider

const start = `# Configuration of an AEGIS node. Check it with: aegis config validate
# Every setting: docs/reference/config.md
apiVersion: 100monkeys.ai/v1
kind: NodeConfig
metadata:
  name: my-node
spec:
  node:
    id: my-node
    type: edge # edge, orchestrator or hybrid
`

const ownProvider = `
  # The models that agents may ask. Without a provider, a scripted one answers offline.
  llm_providers: []
  # - name: local
  #   type: ollama
  #   models:
  #     - alias: default
  #       model: llama3.2
  # - name: openai
  #   type: openai
  #   api_key: env:OPENAI_API_KEY # from the environment of the daemon
  #   models:
  #     - alias: smart
  #       model: gpt-4o

  network:
    bind_address: 127.0.0.1 # reachable from this machine alone
    port: 8000
`

const exampleProviders = `
  # The models that agents may ask, by alias. Keys stay on the host: no agent sees them.
  llm_providers:
    - name: local
      type: ollama
      endpoint: http://localhost:11434
      models:
        - alias: default
          model: llama3.2
          capabilities: [chat]
          context_window: 128000
    - name: openai
      type: openai
      endpoint: https://api.openai.com/v1
      api_key: env:OPENAI_API_KEY # from the environment of the daemon
      enabled: false
      models:
        - alias: smart
          model: gpt-4o
          capabilities: [chat, code]
          context_window: 128000
          cost_per_1k_tokens: 0.005
    - name: anthropic
      type: anthropic
      endpoint: https://api.anthropic.com
      api_key: env:ANTHROPIC_API_KEY
      enabled: false
      models:
        - alias: smart
          model: claude-sonnet-4-5
          capabilities: [chat, code]
          context_window: 200000
          cost_per_1k_tokens: 0.003
    - name: lm-studio
      type: openai-compatible
      endpoint: http://localhost:1234/v1
      enabled: false
      models:
        - alias: fast
          model: qwen2.5-7b-instruct
    - name: offline
      type: scripted # answers from rules; rules: FILE replaces the built-in ones
      enabled: false
      models:
        - alias: default
          model: scripted

  llm_selection:
    strategy: prefer-local # prefer-cloud, cost-optimized, latency-optimized
    default_provider: local
    # fallback_provider: openai
    max_retries: 3 # attempts per provider in all
    retry_delay_ms: 1000 # doubles with each attempt
    timeout_seconds: 300 # for the first byte of an answer, and between two bytes
`

const exampleSettings = `
  runtime:
    default_isolation: inherit # process, docker, firecracker; inherit: the first this host can do
    # bootstrap_script: ./bootstrap.py
    # docker_socket_path: /var/run/docker.sock
    firecracker: # micro-VMs; they need a kernel: aegis kernel fetch
      driver: auto # firecracker, qemu; auto: Firecracker where it is installed and KVM works
    host_paths: # what agents may be given of this host; nothing by default
      read: [] # - /srv/datasets
      write: []
    cgroup_parent: aegis
    allow_weaker: [] # [cgroup] runs agents on a host that cannot limit them
    uid_range: # host users of the sandboxes when the daemon runs as root
      first: 1900000000
      count: 65536
    capacity: {} # cpu_millicores: 4000, memory: 8Gi, max_concurrent: 20; absent: the machine
    output_limit: 16Mi # what one command may print

  network:
    bind_address: 127.0.0.1 # reachable from this machine alone
    port: 8000
    # tls:
    #   cert_path: /etc/aegis/cert.pem
    #   key_path: /etc/aegis/key.pem

  observability:
    logging:
      level: info # trace, debug, info, warn, error
      format: json # or text
      # file: /var/log/aegis.log
    metrics:
      enabled: true
`

export const exposedNotice =
  'other machines may reach this node without TLS, and read tokens on the way. Give it certificates with network.tls, or let it listen on 127.0.0.1 (network.bind_address); from a container, publish its port on 127.0.0.1 only'

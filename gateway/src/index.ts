export {
  type Gateway,
  type GatewayModel,
  type GatewayOptions,
  openGateway,
} from './open-gateway.ts'

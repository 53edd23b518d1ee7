/** Which connections have a limit to pass. */
import type { GatewayModel } from './gateway-model.js';

export const limitsInbound = ({ limits, elasticIps }: GatewayModel): boolean =>
  limits.newConnectionsPerSecond !== undefined || [...elasticIps.values()].some((eip) => eip.limits !== undefined);

export const limitsSources = ({ limits }: GatewayModel): boolean =>
  limits.newConnectionsPerSecondPerSource !== undefined || limits.newConnectionsPerSecond !== undefined;

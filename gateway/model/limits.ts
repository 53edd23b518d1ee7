/** Which connections have a limit to pass. */
import type { GatewayLimits, GatewayModel } from './gateway-model.js';

export const limitsInbound = ({ limits, elasticIps }: GatewayModel): boolean =>
  limitsAll(limits) || [...elasticIps.values()].some((eip) => eip.limits !== undefined);

export const limitsSources = ({ limits }: GatewayModel): boolean =>
  limits.newConnectionsPerSecondPerSource !== undefined || limitsAll(limits);

const limitsAll = ({ newConnectionsPerSecond, connections }: GatewayLimits): boolean =>
  newConnectionsPerSecond !== undefined || connections !== undefined;

// The numbers of the lab cluster.

/** Where nodes and the control plane meet; pods of node n are in 10.251.n.0/24. */
export const nodeNetwork = {
  controlPlane: '10.250.0.1',
  node: (number: number) => `10.250.0.${10 + number}`,
  pods: (number: number) => `10.251.${number}.0/24`,
  services: '10.255.0.0/24',
};

export const apiPort = 6443;
export const apiServerUrl = `https://${nodeNetwork.controlPlane}:${apiPort}`;

import * as z from 'zod';
import { objectName } from './scalars.js';
import { peerFields } from './vpn-connection.js';

/** A peer in a document of its own: where there are many, an edit of one is that one's alone. */
export const vpnPeerSpec = z.strictObject({
  connection: objectName.describe('The `VpnConnection` whose tunnel it is a peer of.'),
  ...peerFields,
});

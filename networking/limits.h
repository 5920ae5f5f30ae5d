// The limits of the networking layer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skiff::networking {

inline constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ less the terminating zero
inline constexpr size_t kMaxEniId = 40;          // so that a lease fits its record
inline constexpr size_t kMaxPublishedPorts = 200;
inline constexpr size_t kMaxNetlinkBatch = 64 << 10;  // bytes of requests sent in one go
inline constexpr size_t kMaxNetlinkReply = 64
                                           << 10;  // bytes of one answer; the kernel sends 32 KiB
inline constexpr int kMaxDumpAttempts = 10;        // a dump that changes underneath is read again
inline constexpr int kMinSubnetBits = 16;          // the largest subnet: 65536 addresses
inline constexpr int kMaxSubnetBits = 29;          // the smallest: three addresses for ENIs
inline constexpr uint32_t kReservedHead = 4;       // as in a VPC: network, gateway, resolver, spare
inline constexpr uint32_t kReservedTail = 1;       // broadcast
inline constexpr size_t kMaxResolverFile = 64 << 10;  // bytes of the host's resolv.conf
inline constexpr size_t kMaxNameservers = 3;          // MAXNS of the resolver library
inline constexpr int kMaxBridgePorts = 1023;          // BR_MAX_PORTS less the zero, by the kernel
inline constexpr uint32_t kMinMtu = 576;
inline constexpr uint32_t kMaxMtu = 65535;

}  // namespace skiff::networking

"""``linux.resources`` as frozen data: what a container may use (config-linux.md, "Control groups").

None, and an empty tuple, mean that nothing was asked for.
"""

from __future__ import annotations

from .record import Record


class Memory(Record):
    """Limits in bytes; -1 is no limit."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool | None = None
    use_hierarchy: bool | None = None
    check_before_update: bool | None = None


class Cpu(Record):
    """Shares and times in microseconds; *cpus* and *mems* are lists such as ``0-3,7``."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


class WeightDevice(Record):
    """The weight of one block device."""

    major: int
    minor: int
    weight: int | None = None
    leaf_weight: int | None = None


class ThrottleDevice(Record):
    """The rate of one block device, in bytes or operations a second."""

    major: int
    minor: int
    rate: int


class BlockIO(Record):
    """The block devices' bandwidth."""

    weight: int | None = None
    leaf_weight: int | None = None
    weight_device: tuple[WeightDevice, ...] = ()
    throttle_read_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_read_iops_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_iops_device: tuple[ThrottleDevice, ...] = ()


class HugepageLimit(Record):
    """A limit in bytes for pages of a size such as ``2MB``."""

    page_size: str
    limit: int


class NetworkPriority(Record):
    """The priority of what goes out through an interface."""

    name: str
    priority: int


class NetworkClass(Record):
    """What network packets are tagged with."""

    class_id: int | None = None
    priorities: tuple[NetworkPriority, ...] = ()


class Rdma(Record):
    """The limits of one RDMA device."""

    device: str
    hca_handles: int | None = None
    hca_objects: int | None = None


class DeviceRule(Record):
    """Allow or deny: *type* is ``a``, ``c`` or ``b``; a number of None is any number."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


class Resources(Record):
    """All of ``linux.resources``."""

    memory: Memory | None = None
    cpu: Cpu | None = None
    pids_limit: int | None = None
    block_io: BlockIO | None = None
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    network: NetworkClass | None = None
    rdma: tuple[Rdma, ...] = ()
    unified: tuple[tuple[str, str], ...] = ()
    devices: tuple[DeviceRule, ...] = ()

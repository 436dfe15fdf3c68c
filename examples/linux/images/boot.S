# The boot sector of the small virtual machine: loads a Linux kernel and its initial RAM disk from fixed places of the disk and
# starts them (https://docs.kernel.org/arch/x86/boot.html). A boot loader that reads file systems takes a second longer under
# TCG, of the four that the whole machine takes. Symbols given when it is assembled:
#   SETUP_LBA, SETUP_SECTORS    the kernel's own 16-bit part
#   KERNEL_LBA, KERNEL_SECTORS  the rest of it
#   INITRD_LBA, INITRD_SECTORS, INITRD_BYTES
#   DATA_LBA, DATA_SECTORS      the second partition; the first is what lies before it
# Sector 1 holds the kernel's command line, ended by a zero byte.

        .code16
        .set BUFFER_SEG, 0x1000         # where the BIOS reads to, 64 KiB at most
        .set CHUNK, 120                 # sectors at once
        .set SETUP_SEG, 0x9000
        .set LINE_SEG, 0x9e00

        .globl start
start:
        xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $0x7c00, %sp
        cld
        movb %dl, drive

        movw $LINE_SEG, segment
        call read                       # one sector from sector 1, as the packet says at first
        movw $SETUP_SEG, segment
        movw $SETUP_SECTORS, count
        movl $SETUP_LBA, lba
        call read

        movl $KERNEL_LBA, lba
        movl $KERNEL_SECTORS, %ebp
        movl $0x100000, %edi
        call read_high

        movw $0xe801, %ax               # how much memory there is above 16 MiB, in 64 KiB
        int $0x15
        movzwl %bx, %edi
        shll $16, %edi
        addl $(0x1000000 - INITRD_BYTES), %edi
        andw $0xf000, %di
        movl %edi, %edx
        movl $INITRD_LBA, lba
        movl $INITRD_SECTORS, %ebp
        pushl %edx
        call read_high
        popl %edx

        movw $SETUP_SEG, %ax
        movw %ax, %ds
        movb $0xff, 0x210               # a boot loader without a number
        orb $0x80, 0x211                # there is a heap ...
        movw $0xde00, 0x224             # ... up to here
        movw $0xffff, 0x1fa
        movl %edx, 0x218
        movl $INITRD_BYTES, 0x21c
        movl $(LINE_SEG << 4), 0x228
        cli
        movw %ax, %es
        movw %ax, %fs
        movw %ax, %gs
        movw %ax, %ss
        movw $0xe000, %sp
        ljmp $(SETUP_SEG + 0x20), $0

# Reads %ebp sectors from `lba` on to the address %edi, which may be anywhere; moves both on.
read_high:
        movw $BUFFER_SEG, segment
1:      movl $CHUNK, %ecx
        cmpl %ecx, %ebp
        jae 2f
        movl %ebp, %ecx
2:      movw %cx, count
        pushl %ecx
        pushl %edi
        call read
        popl %edi
        popl %ecx
        addl %ecx, lba
        subl %ecx, %ebp
        # A segment keeps its limit when protected mode is left: all memory can be written. The BIOS sets it back each time.
        cli
        lgdt gdt_pointer
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        movw $8, %bx
        movw %bx, %ds
        movw %bx, %es
        andb $0xfe, %al
        movl %eax, %cr0
        xorw %bx, %bx
        movw %bx, %ds
        movw %bx, %es
        sti
        movl $(BUFFER_SEG << 4), %esi
        shll $7, %ecx
        addr32 rep movsl
        testl %ebp, %ebp
        jnz 1b
        ret

read:
        movw $packet, %si
        movb drive, %dl
        movb $0x42, %ah
        int $0x13
        jc failed
        ret

failed:
        movw $(0x0e00 + '!'), %ax
        xorw %bx, %bx
        int $0x10
1:      hlt
        jmp 1b

        .balign 4
packet: .byte 16, 0
count:  .word 1
        .word 0
segment:
        .word 0
lba:    .long 1, 0
gdt:    .quad 0, 0x00cf92000000ffff     # flat data
gdt_pointer:
        .word . - gdt - 1
        .long gdt
drive:  .byte 0

        .org 0x1b8
        .long 0x6f636572                # the disk's own number
        .org 0x1be
        .byte 0x80, 0, 2, 0, 0xda, 0xff, 0xff, 0xff
        .long 2048, DATA_LBA - 2048
        .byte 0, 0xff, 0xff, 0xff, 0x83, 0xff, 0xff, 0xff
        .long DATA_LBA, DATA_SECTORS
        .org 0x1fe
        .byte 0x55, 0xaa

# The network-config of a NoCloud seed, YAML or JSON, as one line for each interface: MAC or -, then addresses, dhcp, via:GATEWAY.
# An interface ends where the next begins: with the second value of a kind that an interface has once, or at its closing brace.
function ended() { if (words != "") print (mac == "" ? "-" : mac), words; mac = words = "" }
{
    gsub(/[][{},"']/, " & ")
    count = split($0, token, /[ \t\r]+/)
    indent = match($0, /[^ ]/)
    for (i = 1; i <= count; i++) {
        word = token[i]
        if (word == "{") depth++
        else if (word == "}") { depth--; if (depth == 2) ended() }
        else if (word == "") continue
        else if (word == "\"" || word == "'" || word == ",") continue
        else if (depth == 0 && indent == 3 && word ~ /:$/ && i <= 2) ended()
        else if (word == ":" || word == "[" || word == "]" || word == "-") continue
        else { sub(/^:/, "", word); sub(/:$/, "", word); see(word) }
    }
}
function see(word) {
    if (key ~ /^mac_?address$/) mac = tolower(word)
    else if (key == "dhcp4" && word ~ /^(true|yes)$/) words = words " dhcp"
    else if (key == "to") to = word
    else if (key ~ /^gateway4?$/ || key == "via" && to ~ /^(default|0\.0\.0\.0\/0)$/) words = words " via:" word
    else if (word ~ /^([0-9.]+|[0-9a-fA-F:]+)\/[0-9]+$/) { words = words " " word; return }
    else { key = word; return }
    key = ""
}
END { ended() }
